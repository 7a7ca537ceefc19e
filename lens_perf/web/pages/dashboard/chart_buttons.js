// The buttons of a chart: its order, its metrics, pin, its y axis, download, full screen; and the grip that changes the
// height.

import { saveChart } from "./chart_files.js";
import { KINDS, copySnippet } from "./chart_snippets.js";
import { ICONS, makeIcon } from "./chart_icons.js";
import { putInOrder } from "./element_order.js";
import { makePopover } from "./popover.js";
import { RangeFields } from "./range_fields.js";
import { LEAST_HEIGHT, chosenFor, rangeOf, scaleOf } from "./view_state.js";
import { make } from "./words.js";

const FILES = ["png", "svg", "csv"];
const COPIED_MS = 1500;

/** Return the buttons of a chart: their `element`, and what shows in them its metrics and what a view has chosen. */
export function makeButtons(chart) {
  const { actions } = chart;
  const pin = makeButton("Pin to the top", "pin", () => actions.onPin(chart.names));
  const log = makeButton("Log scale", "log", () => actions.onLog(chart.title));
  const range = new RangeFields((ends) => actions.onRange(chart.title, ends));
  const ranges = makePopover("menu", makeOpener("Range of the y axis", "range"), range.element);
  ranges.addEventListener("toggle", () => ranges.open && range.ends[0].focus());
  const full = makeButton("Full screen", "full", () =>
    document.fullscreenElement ? document.exitFullscreen() : chart.figure.requestFullscreen(),
  );
  const move = [
    makeButton("Move earlier", "left", () => actions.onMove(chart.names, -1)),
    makeButton("Move later", "right", () => actions.onMove(chart.names, 1)),
  ];
  const metrics = makeMetrics(chart);
  const all = [...move, metrics.element, pin, log, ranges, makeFiles(chart), full];
  const element = make("div", { className: "buttons" }, ...all);
  const rename = (names, title) => {
    metrics.list(names);
    // The titles are the same in all charts.
    for (const each of element.querySelectorAll("[title]")) each.setAttribute("aria-label", `${each.title}: ${title}`);
  };
  const show = (view) => {
    const own = chosenFor(view.yRanges, chart.title);
    pin.setAttribute("aria-pressed", String(chart.names.some((name) => view.pins.includes(name))));
    log.setAttribute("aria-pressed", String(scaleOf(view, chart.title).log));
    range.show(own, rangeOf(view, chart.title));
    ranges.classList.toggle("chosen", own !== null);
  };
  return { element, rename, show, enableMoves: (areEnabled) => enable(move, areEnabled) };
}

/** Enable `buttons` or not; one that is disabled leaves the focus to another. */
function enable(buttons, areEnabled) {
  const used = buttons.indexOf(document.activeElement);
  buttons.forEach((button, index) => (button.disabled = !areEnabled[index]));
  if (used >= 0 && !areEnabled[used]) buttons.find(({ disabled }) => !disabled)?.focus();
}

/** A button whose `content` is text or the name of an icon. */
function makeButton(title, content, action) {
  const button = make(
    "button",
    { type: "button", className: "quiet", title },
    content in ICONS ? makeIcon(content) : content,
  );
  button.addEventListener("click", action);
  return button;
}

const makeOpener = (title, icon) => make("summary", { title }, makeIcon(icon));

/** What saves the chart, or copies the request for its data. */
function makeFiles(chart) {
  const files = makePopover(
    "menu",
    makeOpener("Download", "download"),
    ...FILES.map((ending) => {
      const text = ending.toUpperCase();
      return makeButton(`Download as ${text}`, text, () => {
        files.open = false;
        saveChart(chart, ending);
      });
    }),
    ...KINDS.map((kind) => {
      const text = `Copy as ${kind}`;
      const copy = makeButton(text, text, async () => {
        copy.textContent = (await copySnippet(chart, kind)) ? "Copied" : "Not copied";
        document.querySelector("#status").textContent = copy.textContent;
        setTimeout(() => (copy.textContent = text), COPIED_MS);
      });
      return copy;
    }),
  );
  return files;
}

/** What adds metrics to the chart and removes them: its `element`, and a function that lists the metrics. */
function makeMetrics(chart) {
  const { field, problem } = makeField(chart);
  const own = make("div", { className: "own" });
  const element = makePopover("menu", makeOpener("Add a metric", "add"), field, problem, own);
  element.addEventListener("toggle", () => element.open && field.focus());
  const remove = (name) => {
    chart.actions.onNames(
      chart.names,
      chart.names.filter((each) => each !== name),
    );
    field.focus();
  };
  const list = (names) => {
    const before = new Map([...own.children].map((button) => [button.value, button]));
    const removable = names.length > 1 ? names : [];
    putInOrder(
      own,
      removable.map((name) => before.get(name) ?? makeRemover(name, () => remove(name))),
    );
  };
  return { element, list };
}

function makeRemover(name, action) {
  const button = makeButton(`Remove ${name}`, `× ${name}`, action);
  button.value = name;
  return button;
}

/** The `field` by which another metric joins the chart, and the `problem` with what was entered. */
function makeField(chart) {
  const field = make("input", { type: "text", placeholder: "metric to add", autocomplete: "off" });
  // The metrics panel has the list of names.
  field.setAttribute("list", "metric-names");
  field.setAttribute("aria-label", "Metric to add to this chart");
  const problem = make("span", { className: "problem" });
  problem.setAttribute("role", "status");
  field.addEventListener("input", () => (problem.textContent = ""));
  field.addEventListener("change", () => {
    const name = field.value.trim();
    if (!name || chart.names.includes(name)) return;
    // While the metrics of a run are not known, it may have any.
    if (chart.runs.every(({ counts }) => counts && !counts.has(name)))
      problem.textContent = `No run has a metric ${name}`;
    else {
      field.value = "";
      chart.actions.onNames(chart.names, [...chart.names, name]);
    }
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
