// The buttons of a chart: its order, its metrics, pin, download, full screen; and the grip that changes the height.

import { saveChart } from "./chart_files.js";
import { KINDS, copySnippet } from "./chart_snippets.js";
import { ICONS, makeIcon } from "./chart_icons.js";
import { makePopover } from "./popover.js";
import { LEAST_HEIGHT } from "./view_state.js";
import { make } from "./words.js";

const FILES = ["png", "svg", "csv"];
const COPIED_MS = 1500;

/** Return the `buttons` of a chart, and of them the `pin`, which shows whether it is pressed. */
export function makeButtons(chart) {
  const { names, actions } = chart;
  const button = (label, content, action) => {
    const made = make(
      "button",
      { type: "button", className: "quiet", title: label },
      content in ICONS ? makeIcon(content) : content,
    );
    made.setAttribute("aria-label", `${label}: ${chart.title}`);
    made.addEventListener("click", action);
    return made;
  };
  const opener = (label, icon) => {
    const summary = make("summary", { title: label }, makeIcon(icon));
    summary.setAttribute("aria-label", `${label}: ${chart.title}`);
    return summary;
  };
  const pin = button("Pin to the top", "pin", () => actions.onPin(names));
  const files = makePopover(
    "menu",
    opener("Download", "download"),
    ...FILES.map((ending) => {
      const text = ending.toUpperCase();
      return button(`Download as ${text}`, text, () => {
        files.open = false;
        saveChart(chart, ending);
      });
    }),
    ...KINDS.map((kind) => {
      const text = `Copy as ${kind}`;
      const copy = button(text, text, async () => {
        copy.textContent = (await copySnippet(chart, kind)) ? "Copied" : "Not copied";
        document.querySelector("#status").textContent = copy.textContent;
        setTimeout(() => (copy.textContent = text), COPIED_MS);
      });
      return copy;
    }),
  );
  const remove = (name) =>
    button(`Remove ${name}`, `× ${name}`, () =>
      actions.onNames(
        names,
        names.filter((each) => each !== name),
      ),
    );
  const { field, problem } = makeField(chart);
  const metrics = makePopover(
    "menu",
    opener("Add a metric", "add"),
    field,
    problem,
    ...(names.length > 1 ? names.map(remove) : []),
  );
  metrics.addEventListener("toggle", () => metrics.open && field.focus());
  const full = button("Full screen", "full", () =>
    document.fullscreenElement ? document.exitFullscreen() : chart.figure.requestFullscreen(),
  );
  const move = [
    button("Move earlier", "left", () => actions.onMove(names, -1)),
    button("Move later", "right", () => actions.onMove(names, 1)),
  ];
  return { pin, buttons: make("div", { className: "buttons" }, ...move, metrics, pin, files, full) };
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
