// The latest values of a chart as a table, for those who do not see its picture.

import { formatPosition, formatValue } from "./chart_formats.js";
import { formatTime } from "./format.js";
import { make } from "./words.js";

const HEADINGS = ["run", "iteration", "time", "value"];
// Rows of each line.
const MOST_ROWS = 40;

export class ChartTable {
  constructor() {
    this.lines = [];
    this.rows = make("tbody");
    const headings = HEADINGS.map((text) => make("th", { scope: "col" }, text));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...headings)), this.rows);
    this.element = make("details", {}, make("summary", {}, "Values as a table"), table);
    this.element.addEventListener("toggle", () => this.show(this.lines));
  }

  /** Take `lines`; their values are written while the table is open. */
  show(lines) {
    this.lines = lines;
    if (!this.element.open) return;
    this.rows.replaceChildren(
      ...lines.flatMap((line) => [...line.x.keys()].slice(-MOST_ROWS).map((index) => makeRow(line, index))),
    );
  }
}

function makeRow(line, index) {
  const [iteration, time] = [line.iterations[index], line.times[index]];
  const cells = [
    line.label,
    Number.isFinite(iteration) ? formatPosition("iteration", iteration) : "–",
    Number.isFinite(time) ? formatTime(time) : "–",
    formatValue(line.values[index]),
  ];
  return make("tr", {}, ...cells.map((text) => make("td", {}, text)));
}
