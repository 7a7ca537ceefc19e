// Draws one chart for each metric, with the lines of all workloads, by uPlot.

import { make, moment, number } from "./words.js";
import { smooth } from "./series.js";

const HEIGHT = 260;
const ROWS = 40;

const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart of one metric in its own figure. */
export class Chart {
  constructor(uPlot, metric, onZoom) {
    this.uPlot = uPlot;
    this.metric = metric;
    this.onZoom = onZoom;
    this.plot = null;
    this.key = "";
    this.range = null;
    this.marks = { restarts: [], others: [] };
    this.place = make("div", { className: "plot", tabIndex: 0 });
    this.place.setAttribute("role", "img");
    this.notes = make("p", { className: "notes" });
    this.rows = make("tbody");
    this.table = make(
      "details", {}, make("summary", {}, "Values as a table"),
      make("table", {}, make("thead", {}, make("tr", {}, ...["workload", "iteration", "time", "value"].map(head))), this.rows),
    );
    this.figure = make("figure", { className: "chart" }, make("figcaption", {}, metric), this.place, this.notes, this.table);
    this.place.addEventListener("keydown", (event) => this.walk(event));
  }

  /** Show `series` in the way of `view`; the lines change in place while there are as many. */
  show(series, view) {
    const lines = [];
    this.marks = { restarts: [], others: [] };
    for (const { one, colour, label } of series) {
      const { segments, restarts, others } = one.cut(view.axis);
      this.marks.restarts.push(...restarts.map((at) => ({ at, colour })));
      this.marks.others.push(...others.map((other) => ({ ...other, colour })));
      segments.forEach((segment, index) => {
        const isLast = index === segments.length - 1;
        const y = view.log ? segment.y.map((value) => (value > 0 ? value : null)) : segment.y;
        lines.push({ x: segment.x, y, colour, label: isLast ? label : "", faint: view.smoothing > 0 });
        if (view.smoothing > 0) {
          const even = smooth(segment.y, view.smoothing).map((value) => (view.log && value <= 0 ? null : value));
          lines.push({ x: segment.x, y: even, colour, label: isLast ? `${label}, smoothed` : "", faint: false });
        }
      });
    }
    this.draw(lines, view);
    this.describe(series, lines, view);
  }

  draw(lines, view) {
    const data = lines.length ? this.uPlot.join(lines.map(({ x, y }) => [x, y])) : [[]];
    const key = JSON.stringify([view.axis, view.log, view.dark, lines.map(({ colour, label, faint }) => [colour, label, faint])]);
    this.range = view.range;
    if (this.plot && key === this.key) {
      this.plot.setData(data);
      return;
    }
    this.plot?.destroy();
    this.key = key;
    this.plot = new this.uPlot(this.options(lines, view), data, this.place);
  }

  /** What of the x axis is shown: the range that was zoomed to, else all. */
  extent(min, max) {
    if (this.range) return this.range;
    if (min === null || min === undefined) return [0, 1];
    return [min, max > min ? max : min + 1];
  }

  options(lines, view) {
    const axis = { stroke: styleOf("--soft"), grid: { stroke: styleOf("--grid"), width: 1 }, ticks: { stroke: styleOf("--grid") }, font: "12px system-ui" };
    const isTime = view.axis === "time";
    return {
      width: Math.max(240, this.place.clientWidth), height: HEIGHT, ms: 1,
      scales: { x: { time: isTime, range: (_plot, min, max) => this.extent(min, max) }, y: { distr: view.log ? 3 : 1 } },
      cursor: { sync: { key: "lens" }, drag: { x: true, y: false, setScale: false }, focus: { prox: 24 } },
      legend: { show: true, live: true },
      axes: [{ ...axis }, { ...axis, size: 68, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) }],
      series: [
        { label: isTime ? "time" : "iteration", value: (_plot, at) => (at === null ? "–" : isTime ? moment(at) : number(at)) },
        ...lines.map(({ colour, label, faint }) => ({
          label: label || " ", stroke: colour, width: faint ? 1 : 1.75, alpha: faint ? 0.3 : 1, points: { show: false },
          class: label ? "named" : "unnamed", value: (_plot, value) => number(value),
        })),
      ],
      hooks: { setSelect: [(plot) => this.zoom(plot)], draw: [(plot) => this.mark(plot)] },
    };
  }

  zoom(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const ends = [left, left + width].map((at) => plot.posToVal(at, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onZoom(ends);
  }

  /** Draw restarts as dashed lines, and what is no number as crosses at the foot of the chart. */
  mark(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    for (const { at, colour } of this.marks.restarts) stroke(ctx, colour, [[plot.valToPos(at, "x", true), bbox.top, 0, bbox.height]]);
    ctx.setLineDash([]);
    ctx.lineWidth = 2 * ratio;
    const size = 4 * ratio;
    const foot = bbox.top + bbox.height - 2 * size;
    for (const { at } of this.marks.others) {
      const x = plot.valToPos(at, "x", true);
      stroke(ctx, styleOf("--bad"), [[x - size, foot - size, 2 * size, 2 * size], [x - size, foot + size, 2 * size, -2 * size]]);
    }
    ctx.restore();
  }

  /** Say in words what the picture shows, below it and for those who do not see it. */
  describe(series, lines, view) {
    const counts = {};
    for (const { kind } of this.marks.others) counts[kind] = (counts[kind] ?? 0) + 1;
    const parts = Object.entries(counts).map(([kind, count]) => `✕ ${count} × ${kind}`);
    if (this.marks.restarts.length) parts.push(`┆ ${this.marks.restarts.length} restart${this.marks.restarts.length > 1 ? "s" : ""}`);
    this.notes.textContent = parts.join("   ");
    const named = lines.filter(({ label }) => label);
    this.place.setAttribute("aria-label", `${this.metric} along ${view.axis}: ${named.map(({ label, y }) => `${label}, last ${number(y.at(-1))}`).join("; ") || "no points"}. Arrow keys move the cursor.`);
    this.rows.replaceChildren(...series.flatMap(({ one, label }) =>
      [...one.points.values()].slice(-ROWS).map((point) => make("tr", {}, ...[
        label, number(point.iteration), point.time === null ? "–" : moment(point.time), number(point.value),
      ].map((text) => make("td", {}, text))))));
  }

  /** Move the cursor of all charts by the arrow keys. */
  walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (!this.plot || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const x = this.plot.data[0];
    const last = x.length - 1;
    const now = this.plot.cursor.idx ?? last;
    const index = event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(last, Math.max(0, now + step));
    this.plot.setCursor({ left: this.plot.valToPos(x[index], "x"), top: HEIGHT / 3 });
  }

  resize() {
    this.plot?.setSize({ width: Math.max(240, this.place.clientWidth), height: HEIGHT });
  }

  remove() {
    this.plot?.destroy();
    this.figure.remove();
  }
}

const head = (text) => make("th", { scope: "col" }, text);

function stroke(ctx, colour, lines) {
  ctx.strokeStyle = colour;
  for (const [x, y, width, height] of lines) {
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x + width, y + height);
    ctx.stroke();
  }
}
