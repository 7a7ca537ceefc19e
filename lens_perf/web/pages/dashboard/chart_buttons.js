// The buttons of a chart: its order, its metrics, pin, its y axis, download, full screen; and the grip that changes the
// height.

import { saveChart } from "./chart_files.js";
import { KINDS, copySnippet } from "./chart_snippets.js";
import { ICONS, makeIcon } from "./chart_icons.js";
import { makePopover } from "./popover.js";
import { RangeFields } from "./range_fields.js";
import { LEAST_HEIGHT, chosenFor, scaleOf } from "./view_state.js";
import { make } from "./words.js";

const FILES = ["png", "svg", "csv"];
const COPIED_MS = 1500;

/** Return the `buttons` of a chart, and a function that shows in them what a view has chosen. */
export function makeButtons(chart) {
  const { names, actions, title } = chart;
  const pin = makeButton(chart, "Pin to the top", "pin", () => actions.onPin(names));
  const log = makeButton(chart, "Log scale", "log", () => actions.onLog(title));
  const range = new RangeFields((ends) => actions.onRange(title, ends), `: ${title}`);
  const ranges = makePopover("menu", makeOpener(chart, "Range of the y axis", "range"), range.element);
  ranges.addEventListener("toggle", () => ranges.open && range.ends[0].focus());
  const full = makeButton(chart, "Full screen", "full", () =>
    document.fullscreenElement ? document.exitFullscreen() : chart.figure.requestFullscreen(),
  );
  const move = [
    makeButton(chart, "Move earlier", "left", () => actions.onMove(names, -1)),
    makeButton(chart, "Move later", "right", () => actions.onMove(names, 1)),
  ];
  const all = [...move, makeMetrics(chart), pin, log, ranges, makeFiles(chart), full];
  const show = (view) => {
    const own = chosenFor(view.yRanges, title);
    pin.setAttribute("aria-pressed", String(names.some((name) => view.pins.includes(name))));
    log.setAttribute("aria-pressed", String(scaleOf(view, title).log));
    range.show(own, view.yScale.range);
    ranges.classList.toggle("chosen", own !== null);
  };
  return { buttons: make("div", { className: "buttons" }, ...all), show };
}

/** A button whose `content` is text or the name of an icon. */
function makeButton({ title }, label, content, action) {
  const button = make(
    "button",
    { type: "button", className: "quiet", title: label },
    content in ICONS ? makeIcon(content) : content,
  );
  button.setAttribute("aria-label", `${label}: ${title}`);
  button.addEventListener("click", action);
  return button;
}

function makeOpener({ title }, label, icon) {
  const summary = make("summary", { title: label }, makeIcon(icon));
  summary.setAttribute("aria-label", `${label}: ${title}`);
  return summary;
}

/** What saves the chart, or copies the request for its data. */
function makeFiles(chart) {
  const files = makePopover(
    "menu",
    makeOpener(chart, "Download", "download"),
    ...FILES.map((ending) => {
      const text = ending.toUpperCase();
      return makeButton(chart, `Download as ${text}`, text, () => {
        files.open = false;
        saveChart(chart, ending);
      });
    }),
    ...KINDS.map((kind) => {
      const text = `Copy as ${kind}`;
      const copy = makeButton(chart, text, text, async () => {
        copy.textContent = (await copySnippet(chart, kind)) ? "Copied" : "Not copied";
        document.querySelector("#status").textContent = copy.textContent;
        setTimeout(() => (copy.textContent = text), COPIED_MS);
      });
      return copy;
    }),
  );
  return files;
}

/** What adds metrics to the chart and removes them. */
function makeMetrics(chart) {
  const { names, actions } = chart;
  const remove = (name) =>
    makeButton(chart, `Remove ${name}`, `× ${name}`, () =>
      actions.onNames(
        names,
        names.filter((each) => each !== name),
      ),
    );
  const { field, problem } = makeField(chart);
  const metrics = makePopover(
    "menu",
    makeOpener(chart, "Add a metric", "add"),
    field,
    problem,
    ...(names.length > 1 ? names.map(remove) : []),
  );
  metrics.addEventListener("toggle", () => metrics.open && field.focus());
  return metrics;
}

/** The `field` by which another metric joins the chart, and the `problem` with what was entered. */
function makeField(chart) {
  const { names, actions } = chart;
  const field = make("input", { type: "text", placeholder: "metric to add", autocomplete: "off" });
  // The metrics panel has the list of names.
  field.setAttribute("list", "metric-names");
  field.setAttribute("aria-label", "Metric to add to this chart");
  const problem = make("span", { className: "problem" });
  problem.setAttribute("role", "status");
  field.addEventListener("input", () => (problem.textContent = ""));
  field.addEventListener("change", () => {
    const name = field.value.trim();
    if (!name || names.includes(name)) return;
    // While the metrics of a run are not known, it may have any.
    if (chart.runs.every(({ counts }) => counts && !counts.has(name)))
      problem.textContent = `No run has a metric ${name}`;
    else actions.onNames(names, [...names, name]);
  });
  return { field, problem };
}

/** A grip that changes the height of all charts. */
export function makeGrip({ place, actions }) {
  const grip = make("div", { className: "grip", title: "Drag to change the height of the charts" });
  grip.addEventListener("pointerdown", (event) => {
    const begin = event.clientY - place.clientHeight;
    grip.setPointerCapture(event.pointerId);
    grip.onpointermove = (moved) => actions.onHeight(Math.max(LEAST_HEIGHT, Math.round(moved.clientY - begin)));
    grip.onpointerup = () => {
      grip.onpointermove = null;
    };
  });
  return grip;
}
