// The tooltip of a chart: the values of all lines where the pointer is, sorted; and the legend, which hides runs.

import { formatPosition, formatValue } from "./chart_formats.js";
import { showName } from "./names.js";
import { findTooltipPlace } from "./tooltip_place.js";
import { make } from "./words.js";

const MOST_ROWS = 30;
// In a low window, fewer rows have room, below the title and above the number of the others.
const ROW_HEIGHT = 20;
const OTHER_ROWS = 4;

/** A swatch in the colour and dash of a line, with a marker for one that is sparse. */
function makeSwatch(look) {
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  setAttributes(swatch, { width: 22, height: 8, "aria-hidden": "true", class: "swatch" });
  setAttributes(line, { x1: 0, x2: 22, y1: 4, y2: 4, "stroke-width": 2.5 });
  setAttributes(dot, { cx: 11, cy: 4, r: 3.5 });
  swatch.append(line, dot);
  fillSwatch(swatch, look);
  return swatch;
}

function fillSwatch(swatch, { colour, dash = [], isSparse = false }) {
  const [line, dot] = swatch.children;
  setAttributes(line, { stroke: colour, "stroke-dasharray": dash.join(" ") });
  setAttributes(dot, { fill: isSparse ? colour : "none" });
}

function setAttributes(element, values) {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
}

const DATE = /^\d{4}-\d\d-\d\d /;

export class ChartTooltip {
  constructor() {
    this.title = make("div", { className: "at" });
    this.body = make("tbody");
    this.more = make("div", { className: "more" });
    this.element = make(
      "div",
      { className: "tooltip", hidden: true },
      this.title,
      make("table", {}, this.body),
      this.more,
    );
    this.element.setAttribute("role", "status");
    Object.assign(this, { rows: [], lines: new Set(), key: "", size: null });
  }

  hide() {
    this.element.hidden = true;
  }

  /** Show `points`, sorted, at least one, for the cursor on the plot `over`; `closest` is nearest to the pointer. */
  show(points, { axis, x, left, top, isSelecting, over, closest, hasTrend }) {
    // Where the plot is, is read before anything changes: later, the page would have to be laid out for it.
    const plot = over.getBoundingClientRect();
    const stage = this.element.parentElement.getBoundingClientRect();
    const prefix = ["iteration", "time", "relative_time"].includes(axis) ? "" : `${axis} `;
    const at = findPlace(points, x);
    const title = formatPosition(axis, at);
    this.title.textContent = `${prefix}${title}`;
    const shown = points.slice(0, Math.min(MOST_ROWS, Math.max(1, Math.floor(innerHeight / ROW_HEIGHT) - OTHER_ROWS)));
    while (this.rows.length < shown.length) this.addRow();
    const isElsewhere = (point) => point.line.isSparse && point.x !== at;
    const places = shown.map((point) =>
      isElsewhere(point) ? describePlace(formatPosition(axis, point.x), title) : "",
    );
    this.rows.forEach((row, index) => this.fill(row, shown[index], { closest, hasTrend, place: places[index] }));
    this.more.textContent = points.length > shown.length ? `and ${points.length - shown.length} more` : "";
    this.element.hidden = false;
    this.measure(shown);
    const cursor = { left: plot.left + left, top: plot.top + top };
    const place = findTooltipPlace(stage, cursor, this.size, {
      width: document.documentElement.clientWidth,
      height: innerHeight,
    });
    // What is selected must be seen.
    this.element.hidden ||= isSelecting && place.isOver;
    const [toRight, down] = [place.left - stage.left, place.top - stage.top].map(Math.round);
    this.element.style.transform = `translate(${toRight}px, ${down}px)`;
  }

  /** Measure the size when other lines or longer texts are shown, not in each frame, as that lays the page out. */
  measure(shown) {
    if (this.element.hidden) return;
    const lines = new Set(shown.map(({ line }) => line));
    const rows = this.rows.slice(0, shown.length);
    const lengths = rows.map((row) => [row.label, row.shown, row.raw, row.place].map(lengthOf));
    const key = JSON.stringify([innerWidth, innerHeight, lengths]);
    const hasChanged = lines.size !== this.lines.size || [...lines].some((line) => !this.lines.has(line));
    if (hasChanged || key !== this.key)
      this.size = { width: this.element.offsetWidth, height: this.element.offsetHeight };
    Object.assign(this, { lines, key });
  }

  addRow() {
    const swatch = makeSwatch({ colour: "none" });
    const cells = {
      swatch: make("td", {}, swatch),
      label: make("span"),
      shown: make("td", { className: "value" }),
      raw: make("td", { className: "raw" }),
      place: make("td", { className: "place" }),
    };
    const [first, label, ...others] = Object.values(cells);
    const element = make("tr", {}, first, make("th", { scope: "row" }, label), ...others);
    const row = { element, ...cells, swatch, line: null };
    this.rows.push(row);
    this.body.append(row.element);
  }

  /** `place` is where the point is, if that is not near the pointer. */
  fill(row, point, { closest, hasTrend, place }) {
    row.element.hidden = !point;
    if (!point) return;
    if (row.line !== point.line) {
      fillSwatch(row.swatch, point.line);
      row.line = point.line;
    }
    const { label, uid } = point.line;
    const discarded = point.isDiscarded && !label.endsWith("discarded") ? " (discarded)" : "";
    // The cluster, the metric and the attempt follow the uid of the run.
    showName(row.label, uid, { suffix: `${label.slice(uid.length)}${discarded}` });
    setText(row.shown, formatValue(point.shown));
    setText(row.raw, hasTrend ? formatValue(point.raw) : "");
    setText(row.place, place);
    row.element.classList.toggle("closest", point === closest);
  }
}

/** The words for the position of a point, without the date if the `title` has the same one. */
function describePlace(position, title) {
  const date = DATE.exec(title)?.[0];
  return `at ${date && position.startsWith(date) ? position.slice(date.length) : position}`;
}

/** Where the point nearest to `x` is. */
const findPlace = (points, x) =>
  points.reduce((best, point) => (Math.abs(point.x - x) < Math.abs(best - x) ? point.x : best), points[0].x);

const lengthOf = ({ textContent }) => textContent.length;

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class ChartLegend {
  /** `onToggle(key, isAlone)` hides or shows a run, or shows it alone. */
  constructor({ onToggle, onHighlight }) {
    Object.assign(this, { onToggle, onHighlight, shown: "" });
    this.runs = make("ul", { className: "runs" });
    this.kinds = make("ul", { className: "kinds" });
    this.element = make("div", { className: "legend" }, this.runs, this.kinds);
  }

  /** A button for each of `runs`; `kinds` are the metrics and data sources of a chart that has several. */
  show(runs, kinds) {
    const key = JSON.stringify([runs.map((run) => [run.key, run.name, run.colour, run.dash, run.isVisible]), kinds]);
    if (key === this.shown) return;
    this.shown = key;
    const focused = this.runs.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.runs.replaceChildren(...runs.map((run) => make("li", {}, this.makeButton(run))));
    if (focused) [...this.runs.querySelectorAll("button")].find(({ dataset }) => dataset.key === focused)?.focus();
    this.kinds.replaceChildren(...kinds.map((kind) => make("li", {}, makeSwatch(kind), ` ${kind.text}`)));
  }

  makeButton(run) {
    const title = `${run.name}: click to ${run.isVisible ? "hide" : "show"}, Alt+click to show alone`;
    const button = make(
      "button",
      { type: "button", title },
      makeSwatch(run),
      showName(make("span"), run.uid, { suffix: run.name.slice(run.uid.length), title }),
    );
    button.dataset.key = run.key;
    button.setAttribute("aria-pressed", String(run.isVisible));
    button.addEventListener("click", (event) => this.onToggle(run.key, event.altKey));
    button.addEventListener("pointerenter", () => this.onHighlight(run.isVisible ? run.key : null));
    button.addEventListener("pointerleave", () => this.onHighlight(null));
    return button;
  }
}
