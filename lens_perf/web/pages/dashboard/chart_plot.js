// A uPlot whose lines are painted here: uPlot keeps the axes, the scales, the cursor and the range that is dragged.

import uPlot from "../vendor/uPlot.esm.js";

import { formatSpan, formatTicks, formatTimeTicks } from "./chart_formats.js";
import { makeFrame, paint } from "./chart_painter.js";
import { SPANS, isShort, listMultiples } from "./chart_ticks.js";

const SYNC = "lens";
// A drag in one direction zooms along that axis alone, unless it leaves it by so many pixels.
const UNIDIRECTIONAL = 24;
const LEAST_DRAG = 5;
const DOT = 3.5;
const WRITE_TICKS = {
  iteration: (_plot, ticks) => formatTicks(ticks),
  time: (_plot, ticks, _axis, _space, step) => formatTimeTicks(ticks, step),
  relative_time: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : formatSpan(tick))),
};

// The default filter keeps only digits times powers of ten.
const EVEN_TICKS = {
  splits: (_plot, _axis, first, last, step) => listMultiples(first, last, step),
  filter: (_plot, ticks) => ticks,
};

export const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The plot of `content`: lines, restarts, nonFinite, xRange, yRange, axis, log, highlighted. */
export class ChartPlot {
  constructor(place, { onZoom, onCursor }) {
    Object.assign(this, { place, onZoom, onCursor, plot: null, key: "", content: null, isMoving: false });
    this.dots = document.createElement("canvas");
    this.dots.className = "dots";
  }

  /** Draw `content` in `size`; the plot stays in place unless its axes change in kind. */
  draw(content, { width, height }) {
    this.content = content;
    const hasEvenTicks = content.log && isShort(content.yRange);
    const key = JSON.stringify([content.axis, content.log, hasEvenTicks, styleOf("--soft"), styleOf("--grid")]);
    const data = [content.xRange, content.yRange];
    if (this.plot && key === this.key) {
      if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
      this.plot.setData(data);
      return;
    }
    this.plot?.destroy();
    this.key = key;
    this.plot = new uPlot(this.options({ ...content, hasEvenTicks }, { width, height }), data, this.place);
    this.plot.over.append(this.dots);
  }

  /** Paint the lines once more, those of the run `highlighted` in front of the others; of all alike for null. */
  repaint(highlighted) {
    this.content.highlighted = highlighted;
    this.plot.redraw(false);
  }

  options({ axis, log, hasEvenTicks }, size) {
    const look = {
      stroke: styleOf("--soft"),
      grid: { stroke: styleOf("--grid"), width: 1 },
      ticks: { stroke: styleOf("--grid"), size: 5 },
      font: "12px system-ui",
    };
    return {
      ...size,
      ms: 1,
      padding: [8, axis === "time" ? 36 : 28, 0, 0],
      scales: {
        x: { time: axis === "time", range: () => this.content.xRange },
        y: { distr: log ? 3 : 1, range: () => this.content.yRange },
      },
      cursor: {
        // The cursor moves in all charts; what is dragged stays in its own.
        sync: {
          key: SYNC,
          scales: ["x", null],
          setSeries: false,
          filters: { pub: (type) => type === "mousemove", sub: () => true },
        },
        points: { show: false },
        drag: { x: true, y: true, uni: UNIDIRECTIONAL, dist: LEAST_DRAG, setScale: false },
        // A double click returns to the whole range, which is not up to this plot alone.
        bind: { dblclick: () => null },
      },
      legend: { show: false },
      axes: [
        {
          ...look,
          size: axis === "time" ? 40 : 26,
          space: axis === "iteration" ? 70 : 90,
          ...(axis === "relative_time" ? { incrs: SPANS } : {}),
          values: WRITE_TICKS[axis] ?? WRITE_TICKS.iteration,
        },
        {
          ...look,
          size: (plot, values) => 16 + 7 * Math.max(3, ...(values ?? []).map((text) => (text ?? "").length)),
          values: (_plot, ticks) => formatTicks(ticks),
          ...(hasEvenTicks ? EVEN_TICKS : {}),
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [
          (plot) =>
            paint(plot.ctx, this.content, this.frame(plot), {
              highlighted: this.content.highlighted,
              bad: styleOf("--bad"),
              paper: styleOf("--paper"),
            }),
        ],
        setSelect: [(plot) => this.zoom(plot)],
        setCursor: [(plot) => this.onCursor(this.readCursor(plot))],
      },
    };
  }

  frame({ bbox }) {
    return makeFrame(bbox, this.content.xRange, this.content.yRange, {
      log: this.content.log,
      ratio: devicePixelRatio,
    });
  }

  /** Where the cursor is, in values and in pixels, and whether it drags; null if it is not on the plot. */
  readCursor(plot) {
    const { left, top, event } = plot.cursor;
    if (left === null || left === undefined || left < 0) return null;
    const isSelecting = plot.select.width > 0;
    return { x: plot.posToVal(left, "x"), left, top, isOwn: Boolean(event) || this.isMoving, isSelecting };
  }

  zoom(plot) {
    const { left, top, width, height } = plot.select;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onCursor(this.readCursor(plot));
    if (width < LEAST_DRAG || height < LEAST_DRAG) return;
    const isWhole = (size, whole) => size >= whole - 1;
    const ends = (scale, ...places) => places.map((place) => plot.posToVal(place, scale));
    this.onZoom({
      xRange: isWhole(width, plot.over.clientWidth) ? null : ends("x", left, left + width),
      yRange: isWhole(height, plot.over.clientHeight) ? null : ends("y", top + height, top),
    });
  }

  /** Mark points with a dot each. */
  mark(points) {
    if (!this.plot) return;
    const { clientWidth: width, clientHeight: height } = this.plot.over;
    const ratio = devicePixelRatio;
    if (this.dots.width !== Math.round(width * ratio) || this.dots.height !== Math.round(height * ratio)) {
      Object.assign(this.dots, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      Object.assign(this.dots.style, { width: `${width}px`, height: `${height}px` });
    }
    const ctx = this.dots.getContext("2d");
    ctx.clearRect(0, 0, this.dots.width, this.dots.height);
    if (!points.length) return;
    const frame = makeFrame(
      { left: 0, top: 0, width: this.dots.width, height: this.dots.height },
      this.content.xRange,
      this.content.yRange,
      { log: this.content.log, ratio },
    );
    for (const { line, x, shown } of points) {
      const y = frame.toY(shown);
      if (Number.isNaN(y)) continue;
      ctx.fillStyle = line.colour;
      ctx.beginPath();
      ctx.arc(frame.toX(x), y, DOT * ratio, 0, 2 * Math.PI);
      ctx.fill();
    }
  }

  /** The place of a value from the top of the plot, in CSS pixels. */
  toTop(value) {
    return this.plot.valToPos(value, "y");
  }

  /** Move the cursor of all charts to `x`. */
  moveTo(x) {
    this.isMoving = true;
    this.plot?.setCursor({ left: this.plot.valToPos(x, "x"), top: this.plot.over.clientHeight / 3 }, true, true);
    this.isMoving = false;
  }

  /** The ticks of both axes: `{x: [[place, text]], y: [...]}` in CSS pixels, for pictures. */
  listTicks() {
    const [x, y] = this.plot.axes.map((axis, index) =>
      (axis._splits ?? []).map((split, place) => [
        this.plot.valToPos(split, index === 0 ? "x" : "y"),
        axis._values?.[place] ?? "",
      ]),
    );
    return { x, y };
  }

  destroy() {
    this.plot?.destroy();
    this.plot = null;
  }
}
