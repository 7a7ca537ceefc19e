// The latest values of a chart as a table, for those who do not see its picture.

import { formatPosition, formatValue, nameAxis } from "./chart_formats.js";
import { orderByTraining } from "./chart_latest.js";
import { formatTime } from "./format.js";
import { make } from "./words.js";

// Rows of each line.
const MOST_ROWS = 40;

export class ChartTable {
  constructor() {
    Object.assign(this, { lines: [], axis: "iteration" });
    this.headings = make("tr");
    this.rows = make("tbody");
    const table = make("table", {}, make("thead", {}, this.headings), this.rows);
    this.element = make("details", {}, make("summary", {}, "Values as a table"), table);
    this.element.addEventListener("toggle", () => this.show(this.lines, this.axis));
  }

  /** Take `lines` along `axis`; their values are written while the table is open. */
  show(lines, axis) {
    Object.assign(this, { lines, axis });
    if (!this.element.open) return;
    const columns = listColumns(axis);
    this.headings.replaceChildren(...columns.map(({ heading }) => make("th", { scope: "col" }, heading)));
    this.rows.replaceChildren(
      ...lines.flatMap((line) =>
        orderByTraining(line, axis)
          .slice(-MOST_ROWS)
          .map((place) => make("tr", {}, ...columns.map(({ write }) => make("td", {}, write(line, place))))),
      ),
    );
  }
}

const COLUMNS = [
  { heading: "run", write: ({ label }) => label },
  { heading: "iteration", write: ({ iterations }, place) => writeKnown(iterations[place], formatIteration) },
  { heading: "time", write: ({ times }, place) => writeKnown(times[place], formatTime) },
];
const VALUE = { heading: "value", write: ({ values }, place) => formatValue(values[place]) };

/** The columns; the position on the x axis has one where it is neither the iteration nor the time. */
function listColumns(axis) {
  if (axis === "iteration" || axis === "time") return [...COLUMNS, VALUE];
  return [...COLUMNS, { heading: nameAxis(axis), write: ({ x }, place) => formatPosition(axis, x[place]) }, VALUE];
}

const formatIteration = (iteration) => formatPosition("iteration", iteration);
const writeKnown = (value, write) => (Number.isFinite(value) ? write(value) : "–");
