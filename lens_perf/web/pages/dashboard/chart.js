// A chart in its own figure: plot, tooltip, notes, legend, values as a table, and its buttons.

import { alignAtRestarts } from "./chart_alignment.js";
import { makeButtons, makeGrip } from "./chart_buttons.js";
import { formatPosition, formatTime, formatValue } from "./chart_formats.js";
import { findClosest, findPoints } from "./chart_hover.js";
import { addTrends, layOutLines, listNonFinite, listRestarts } from "./chart_lines.js";
import { describeAbsent, describeChart, describeMarks, explainEmpty } from "./chart_notes.js";
import { ChartPlot } from "./chart_plot.js";
import { findXRange, findYRange } from "./chart_ranges.js";
import { ChartLegend, ChartTooltip } from "./chart_tooltip.js";
import { make } from "./words.js";

const HEIGHT = 260;
const TABLE_ROWS = 40;
// Around a single point in time, in milliseconds.
const POINT_ROOM = 30_000;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity };

export class Chart {
  /** `actions`: onZoom, onReset, onToggle, onHighlight, onPin, onNames, onMove, onHeight. */
  constructor(names, actions) {
    Object.assign(this, { names, actions, lines: [], yRange: null, isShown: false, isOnScreen: false, at: null });
    this.place = make("div", { className: "plot", tabIndex: 0 });
    this.place.setAttribute("role", "img");
    this.tooltip = new ChartTooltip();
    this.reason = make("p", { className: "reason", hidden: true });
    this.notes = make("p", { className: "notes" });
    this.legend = new ChartLegend(actions);
    this.rows = make("tbody");
    this.table = make(
      "details",
      {},
      make("summary", {}, "Values as a table"),
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make("tr", {}, ...["run", "iteration", "time", "value"].map((text) => make("th", { scope: "col" }, text))),
        ),
        this.rows,
      ),
    );
    this.table.addEventListener("toggle", () => this.fillTable());
    this.plot = new ChartPlot(this.place, {
      onZoom: (ranges) => this.zoom(ranges),
      onCursor: (cursor) => this.follow(cursor),
    });
    const { buttons, pin } = makeButtons(this);
    this.pin = pin;
    // The plot comes before its buttons: it is what Tab should reach first.
    this.figure = make(
      "figure",
      { className: "chart" },
      make("figcaption", {}, make("span", { className: "title" }, names.join(", "))),
      make("div", { className: "stage" }, this.place, this.reason, this.tooltip.element),
      buttons,
      this.notes,
      this.legend.element,
      this.table,
      makeGrip(this),
    );
    this.figure.dataset.metrics = names.join(" ");
    this.place.addEventListener("keydown", (event) => this.walk(event));
    this.place.addEventListener("dblclick", () => this.reset());
    this.place.addEventListener("blur", () => this.tooltip.hide());
    this.figure.addEventListener("fullscreenchange", () => this.redraw());
  }

  /** Take what there is to draw; it is drawn when it is on the screen. */
  show(runs, view, store) {
    if (this.scope !== JSON.stringify([view.axis, view.align, view.workloads])) this.yRange = null;
    Object.assign(this, {
      runs,
      view,
      store,
      scope: JSON.stringify([view.axis, view.align, view.workloads]),
      isDirty: true,
    });
    this.pin.setAttribute("aria-pressed", String(this.names.some((name) => view.pins.includes(name))));
    if (this.isShown) this.redraw();
  }

  setShown(isShown) {
    this.isShown = isShown;
    if (isShown && this.isDirty) this.redraw();
  }

  /** Only charts on the screen follow the pointer. */
  setOnScreen(isOnScreen) {
    this.isOnScreen = isOnScreen;
    if (isOnScreen && this.at && this.plot.content) this.follow(this.at);
  }

  redraw() {
    if (!this.view) return;
    this.isDirty = false;
    const content = this.layOut();
    this.lines = content.lines;
    const reason = content.lines.length ? "" : this.explain();
    this.reason.textContent = reason;
    this.reason.hidden = !reason;
    this.notes.textContent = [
      describeMarks(content, content.log),
      content.lines.length ? this.describeAbsent(content) : "",
    ]
      .filter(Boolean)
      .join("   ");
    this.place.setAttribute("aria-label", describeChart(this.names, content.lines, this.view.axis));
    this.legend.show(this.runs, this.listKinds(content.lines));
    this.plot.draw(content, this.measure());
    this.fillTable();
    if (this.at) this.follow(this.at);
  }

  layOut() {
    const { runs, view, store } = this;
    const isAligned = view.align === "restart";
    const laid = layOutLines(
      this.names,
      isAligned ? runs.map((run) => ({ ...run, isSplit: true })) : runs,
      (key, name) => store.seriesOf(key, name),
      view,
    );
    const attemptsOf = (key) => runs.find((run) => run.key === key)?.attempts ?? [];
    const plain = isAligned ? alignAtRestarts(laid, attemptsOf) : laid;
    const restarts = isAligned ? [] : listRestarts(runs, view.axis);
    const axis = isAligned && view.axis === "time" ? "relative_time" : view.axis;
    const xRange =
      (isAligned ? null : view.xRange) ??
      findXRange(plain, axis === "iteration" ? 0.5 : POINT_ROOM) ??
      (axis === "time" ? [Date.now() - 3_600_000, Date.now()] : [0, 1]);
    const lines = addTrends(plain, view.smoothing, xRange[1] - xRange[0]);
    const { log } = view.yScale;
    const yRange =
      findYRange(lines, xRange, { ...view.yScale, range: this.yRange ?? view.yScale.range }) ??
      (log ? [1, 10] : [0, 1]);
    const within = ({ at }) => at >= xRange[0] && at <= xRange[1];
    return {
      lines,
      restarts: lines.length ? restarts.filter(within) : [],
      nonFinite: listNonFinite(lines),
      xRange,
      yRange,
      axis,
      log,
      highlighted: this.highlighted ?? null,
    };
  }

  explain() {
    const visible = this.runs.filter(({ isVisible }) => isVisible);
    const held = visible.flatMap((run) => this.names.flatMap((name) => this.store.seriesOf(run.key, name)));
    return explainEmpty(this.names, held, {
      ...this.view,
      hasRuns: this.runs.length > 0,
      isAnyVisible: visible.length > 0,
      isZoomed: this.view.xRange !== null,
      warnings: this.store.warnings,
      isFailed: this.store.isFailed,
      isLoading: visible.some(({ key }) => !this.store.isRead(key, this.names)),
    });
  }

  /** Which visible runs have points but none on this axis. */
  describeAbsent({ lines, axis }) {
    const isHeld = (run) => this.names.some((name) => this.store.seriesOf(run.key, name).length > 0);
    const visible = this.runs.filter(({ isVisible }) => isVisible);
    const absent = visible
      .filter((run) => isHeld(run) && !lines.some((line) => line.run === run.key))
      .map(({ name }) => name);
    const what = this.view.align
      ? "redone iterations"
      : ({ iteration: "iterations", time: "times", relative_time: "times" }[axis] ?? axis);
    const isPending = ({ cluster, workload_uid: uid }) =>
      visible.some((run) => run.cluster === cluster && run.uid === uid);
    return describeAbsent(absent, what, this.store.warnings.filter(isPending));
  }

  /** What the dashes of a chart of several metrics or data sources mean. */
  listKinds(lines) {
    const kinds = new Map();
    const sources = new Set(lines.map(({ source }) => source));
    for (const line of lines) {
      const text = [this.names.length > 1 ? line.metric : "", sources.size > 1 ? (line.source ?? "no source") : ""]
        .filter(Boolean)
        .join(" · ");
      if (text && !kinds.has(text)) kinds.set(text, { text, colour: "currentColor", dash: line.variantDash });
    }
    return kinds.size > 1 ? [...kinds.values()] : [];
  }

  measure() {
    const isFull = document.fullscreenElement === this.figure;
    return {
      width: Math.max(200, this.place.clientWidth),
      height: isFull ? Math.max(HEIGHT, innerHeight - 200) : (this.view.layout.height ?? HEIGHT),
    };
  }

  resize() {
    if (this.isShown && this.plot.plot) this.redraw();
    else this.isDirty = true;
  }

  setHighlighted(key) {
    if (this.highlighted === key) return;
    this.highlighted = key;
    if (this.isShown && this.plot.content) {
      this.plot.content.highlighted = key;
      this.plot.plot.redraw(false);
    }
  }

  zoom({ xRange, yRange }) {
    if (yRange) this.yRange = yRange;
    if (xRange) this.actions.onZoom(xRange);
    else this.redraw();
  }

  reset() {
    this.yRange = null;
    if (this.view.xRange) this.actions.onReset();
    else this.redraw();
  }

  /** Show the values where the cursor is, once a frame: here as a tooltip, in the other charts as dots. */
  follow(cursor) {
    this.at = cursor;
    if (!this.isOnScreen || this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.showValues(this.at);
    });
  }

  showValues(cursor) {
    const points = cursor ? findPoints(this.lines, cursor.x, this.plot.content.xRange) : [];
    this.plot.mark(points);
    if (!cursor?.isOwn) return this.tooltip.hide();
    const { over } = this.plot.plot;
    this.tooltip.show(points, {
      ...cursor,
      axis: this.plot.content.axis,
      width: over.clientWidth,
      offset: over.offsetLeft,
      hasTrend: this.lines.some(({ trend }) => trend),
      closest: findClosest(points, cursor.top, (value) => this.plot.toTop(value)),
    });
  }

  /** Move the cursor of all charts by the arrow keys, along the longest line. */
  walk(event) {
    const step = STEPS[event.key];
    if (event.key === "Escape") return this.reset();
    if (!step || !this.lines.length) return;
    event.preventDefault();
    const { x } = this.lines.reduce((one, other) => (other.x.length > one.x.length ? other : one));
    const [low, high] = this.plot.content.xRange;
    const places = x.filter((at) => at >= low && at <= high);
    const now = this.at ? places.findIndex((at) => at >= this.walked) : places.length;
    this.walked = places[Math.min(places.length - 1, Math.max(0, (now < 0 ? places.length - 1 : now) + step))];
    this.plot.moveTo(this.walked);
  }

  fillTable() {
    if (!this.table.open) return;
    this.rows.replaceChildren(
      ...this.lines.flatMap((line) =>
        [...line.x.keys()]
          .slice(-TABLE_ROWS)
          .map((index) =>
            make(
              "tr",
              {},
              ...[
                line.label,
                Number.isFinite(line.iterations[index]) ? formatPosition("iteration", line.iterations[index]) : "–",
                Number.isFinite(line.times[index]) ? formatTime(line.times[index]) : "–",
                formatValue(line.values[index]),
              ].map((text) => make("td", {}, text)),
            ),
          ),
      ),
    );
  }

  remove() {
    this.plot.destroy();
    this.figure.remove();
  }
}
