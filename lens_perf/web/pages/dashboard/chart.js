// A chart in its own figure: plot, tooltip, notes, legend, values as a table, and its buttons.

import { makeButtons, makeGrip } from "./chart_buttons.js";
import {
  describeRest,
  explain,
  layOutChart,
  layOutPlain,
  listInputs,
  listKinds,
  listRuns,
  nameAbsent,
} from "./chart_content.js";
import { fillFrame, fillScreen } from "./chart_height.js";
import { findClosest, findPoints } from "./chart_hover.js";
import { describeChart, describeMarks } from "./chart_notes.js";
import { ChartPlot, styleOf } from "./chart_plot.js";
import { stepAlong } from "./chart_ranges.js";
import { ChartTable } from "./chart_table.js";
import { ChartLegend, ChartTooltip } from "./chart_tooltip.js";
import { haveChanged } from "./inputs.js";
import { showName } from "./names.js";
import { scaleOf, titleOf } from "./view_state.js";
import { make } from "./words.js";

const HEIGHT = 260;
// The width of a plot below which the buttons leave too little room for the title.
const NARROW = 400;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity };

export class Chart {
  /** `actions` are those of ChartGrid; `queue` draws the chart; rename() gives it its metrics. */
  constructor(actions, queue) {
    Object.assign(this, { actions, queue, lines: [], at: null });
    // The heights that fill the screen, by true, and a frame, by false.
    this.fitted = new Map();
    // What is dirty is laid out before it is painted.
    Object.assign(this, { isShown: false, isOnScreen: false, isDirty: false, rest: "", paperWidth: null });
    this.place = make("div", { className: "plot", tabIndex: 0 });
    this.place.setAttribute("role", "img");
    this.caption = make("span", { className: "title" });
    this.tooltip = new ChartTooltip();
    this.reason = make("p", { className: "reason", hidden: true });
    this.notes = make("p", { className: "notes" });
    this.legend = new ChartLegend(actions);
    this.table = new ChartTable();
    this.plot = new ChartPlot(this.place, {
      onZoom: (ranges) => actions.onZoom(this.title, ranges),
      onCursor: (cursor) => this.follow(cursor),
    });
    this.buttons = makeButtons(this);
    // The plot comes before its buttons: it is what Tab should reach first.
    this.figure = make(
      "figure",
      { className: "chart" },
      make("figcaption", {}, this.caption),
      make("div", { className: "stage" }, this.place, this.reason, this.tooltip.element),
      this.buttons.element,
      this.legend.element,
      make("div", { className: "foot" }, this.table.element, this.notes),
      makeGrip(this),
    );
    this.place.addEventListener("keydown", (event) => this.walk(event));
    this.place.addEventListener("dblclick", () => actions.onReset(this.title));
    this.place.addEventListener("blur", () => this.tooltip.hide());
    this.figure.addEventListener("fullscreenchange", () => this.redraw());
  }

  /** Show the metrics `names`, in the same figure: that in full screen or with the focus stays so. */
  rename(names) {
    Object.assign(this, { names, title: titleOf(names), inputs: [], plain: null });
    this.place.setAttribute("aria-label", this.title);
    showName(this.caption, this.title);
    this.figure.dataset.metrics = names.join(" ");
    this.buttons.rename(names, this.title);
  }

  /** Take what there is to draw; what is new is drawn when it is on the screen. */
  show(runs, view, store) {
    Object.assign(this, { runs, view, store });
    const size = this.measure();
    this.figure.classList.toggle("narrow", size.width < NARROW);
    // Charts that are drawn later must not move those below.
    this.place.style.minHeight = `${size.height}px`;
    const rest =
      JSON.stringify([size, styleOf("--soft"), styleOf("--grid")]) + describeRest(this.names, runs, view, store);
    const inputs = listInputs(this.names, runs, view, store);
    if (haveChanged(this.inputs, inputs)) this.plain = null;
    this.isDirty ||= this.plain === null || rest !== this.rest;
    Object.assign(this, { inputs, rest });
    this.buttons.show(view);
    if (this.isShown && this.isDirty) this.queue.add(this);
  }

  setShown(isShown) {
    this.isShown = isShown;
    if (isShown && this.isDirty) this.queue.add(this);
  }

  /** Only charts on the screen follow the pointer. */
  setOnScreen(isOnScreen) {
    this.isOnScreen = isOnScreen;
    if (isOnScreen && this.at && this.plot.content) this.follow(this.at);
  }

  /** Lay the chart out once more and draw it, when it is on the screen. */
  redraw() {
    this.isDirty = true;
    if (this.isShown) this.queue.add(this);
  }

  /** Draw the chart at once with its `width` on paper, wherever it is; with null, on the screen again. */
  print(width) {
    this.paperWidth = width;
    if (width === null) this.redraw();
    else if (this.view) this.layOut();
  }

  /** Whether other charts in the queue wait for this one: those that are seen, first of all the one in use. */
  get isNext() {
    return Number(this.isOnScreen) + Number(this.at?.isOwn ?? false);
  }

  draw() {
    if (!this.isShown || !this.view) return;
    if (this.isDirty) this.layOut();
    else this.plot.repaint(this.highlighted);
  }

  layOut() {
    this.isDirty = false;
    const { names, runs, view, store } = this;
    this.plain ??= layOutPlain(names, runs, view, store);
    const listed = listRuns(names, runs, store);
    const content = {
      ...layOutChart(this.plain, listed, view, scaleOf(view, this.title)),
      highlighted: this.highlighted ?? null,
    };
    this.lines = content.lines;
    const reason = content.lines.length ? "" : explain(names, runs, view, store, this.plain.length > 0);
    this.reason.textContent = reason;
    this.reason.hidden = !reason;
    const absent = content.lines.length ? nameAbsent(names, runs, view, store, this.plain, content.axis) : "";
    this.notes.textContent = [describeMarks(content, content.log), absent].filter(Boolean).join("   ");
    this.place.setAttribute("aria-label", describeChart(names, content.lines, content.axis));
    this.legend.show(listed, listKinds(names, content.lines));
    const size = this.measure();
    this.place.style.minHeight = `${size.height}px`;
    this.plot.draw(content, size);
    this.table.show(content.lines, content.axis);
    if (this.at) this.follow(this.at);
  }

  measure() {
    return { width: this.paperWidth ?? Math.max(200, this.place.clientWidth), height: this.chooseHeight() };
  }

  chooseHeight() {
    const isFull = document.fullscreenElement === this.figure && this.paperWidth === null;
    const { embed, layout, metrics } = this.view;
    if (!isFull && layout.height) return layout.height;
    if (!isFull && (!embed || metrics.length > 1 || this.paperWidth !== null)) return HEIGHT;
    // The table is opened to be read below the chart, not instead of it: the height is that without the table.
    if (!this.table.element.open)
      this.fitted.set(isFull, isFull ? fillScreen(this.place, this.figure) : fillFrame(this.place));
    return this.fitted.get(isFull) ?? HEIGHT;
  }

  setHighlighted(key) {
    if (this.highlighted === key) return;
    this.highlighted = key;
    if (this.isShown && this.plot.content) this.queue.add(this);
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
    if (!cursor?.isOwn || !points.length) return this.tooltip.hide();
    const { over } = this.plot.plot;
    this.tooltip.show(points, {
      ...cursor,
      axis: this.plot.content.axis,
      over,
      hasTrend: this.lines.some(({ trend }) => trend),
      closest: findClosest(points, cursor.top, (value) => this.plot.toTop(value)),
    });
  }

  /** Move the cursor of all charts by the arrow keys, along the longest line, from where a pointer may have put it. */
  walk(event) {
    const step = STEPS[event.key];
    if (event.key === "Escape") return this.actions.onReset(this.title);
    const places = this.lines.reduce((longest, { x }) => (x.length > longest.length ? x : longest), []);
    if (!step || !places.length) return;
    event.preventDefault();
    this.plot.moveTo(stepAlong(places, this.at?.x ?? null, step));
  }

  remove() {
    this.queue.remove(this);
    this.plot.destroy();
    this.figure.remove();
  }
}
