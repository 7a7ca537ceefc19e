// The charts of a view in a grid: one for each list of metrics, drawn when they are on the screen.

import { Chart } from "./chart.js";
import { DrawQueue } from "./draw_queue.js";
import { putInOrder } from "./element_order.js";
import { canMove, moveChart, orderCharts } from "./metric_choice.js";
import { roundRange, scaleOf, titleOf } from "./view_state.js";

const MOST_COLUMNS = 4;
const COLUMN_WIDTH = 420;
const GAP = 16;
// Of a sample that a chart shows exactly, each pixel has the first, last, least and greatest point.
const POINTS_PER_PIXEL = 4;
// Charts so near to the screen are drawn ahead.
const MARGIN = "300px";

export class ChartGrid {
  constructor(element, { change, store }) {
    Object.assign(this, { element, change, store, charts: new Map(), width: 0, isReading: false });
    this.queue = new DrawQueue(() => this.showBusy());
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) this.charts.get(target.dataset.key)?.setShown(isIntersecting);
      },
      { rootMargin: MARGIN },
    );
    this.screen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries)
        this.charts.get(target.dataset.key)?.setOnScreen(isIntersecting);
    });
  }

  /** Make room for the charts of `view`: how many points each can show is known before they are read. */
  arrange(view) {
    this.view = view;
    this.layOut();
  }

  /** Draw what the store holds of `runs`. */
  show(runs, view) {
    Object.assign(this, { runs, view });
    const wanted = runs.length ? orderCharts(view.metrics, view.pins) : [];
    this.keep(wanted);
    this.layOut();
    const charts = [...new Set(wanted.map((names) => this.charts.get(nameKey(names)) ?? this.add(names)))];
    putInOrder(
      this.element,
      charts.map(({ figure }) => figure),
    );
    const shown = charts.map(({ names }) => names);
    charts.forEach((chart, index) => {
      chart.show(runs, view, this.store);
      chart.buttons.enableMoves([-1, 1].map((by) => canMove(shown, view.pins, index, by)));
    });
  }

  /** Remove the charts that are not wanted, but for those that become others: these keep the focus and full screen. */
  keep(wanted) {
    const keys = wanted.map(nameKey);
    const listOthers = () => [...this.charts.values()].filter(({ figure }) => !keys.includes(figure.dataset.key));
    for (const isSuccessor of [beginsAlike, overlaps]) {
      for (const names of wanted.filter((each) => !this.charts.has(nameKey(each)))) {
        const before = listOthers().find((chart) => isSuccessor(chart.names, names));
        if (before) this.rename(before, names);
      }
    }
    for (const chart of listOthers()) this.remove(chart);
  }

  add(names) {
    const chart = new Chart(this.makeActions(), this.queue);
    this.rename(chart, names);
    for (const observer of [this.observer, this.screen]) observer.observe(chart.figure);
    return chart;
  }

  rename(chart, names) {
    const { dataset } = chart.figure;
    this.charts.delete(dataset.key);
    dataset.key = nameKey(names);
    this.charts.set(dataset.key, chart);
    chart.rename(names);
  }

  remove(chart) {
    for (const observer of [this.observer, this.screen]) observer.unobserve(chart.figure);
    this.charts.delete(chart.figure.dataset.key);
    chart.remove();
  }

  makeActions() {
    return {
      onZoom: (title, { xRange, yRange }) =>
        this.change({
          // As it is after a reload.
          xRange: xRange ? roundRange(xRange, this.view.axis) : this.view.xRange,
          yZooms: yRange ? { ...this.view.yZooms, [title]: yRange } : this.view.yZooms,
        }),
      onReset: (title) => this.change({ xRange: null, yZooms: without(this.view.yZooms, title) }),
      onToggle: (key, isAlone) => this.change({ hidden: toggle(this.runs, this.view.hidden, key, isAlone) }),
      onHighlight: (key) => this.highlight(key),
      onPin: (names) => this.reorder(names, { pins: togglePins(this.view.pins, names) }),
      onLog: (title) => this.change({ yLogs: toggleLog(this.view, title) }),
      // What was zoomed in would hide it.
      onRange: (title, range) =>
        this.change({
          yRanges: { ...without(this.view.yRanges, title), ...(range && { [title]: range }) },
          yZooms: without(this.view.yZooms, title),
        }),
      onNames: (names, others) =>
        this.change({
          metrics: replaceChart(this.view.metrics, names, others),
          yLogs: rename(this.view.yLogs, titleOf(names), titleOf(others)),
          yRanges: rename(this.view.yRanges, titleOf(names), titleOf(others)),
          yZooms: rename(this.view.yZooms, titleOf(names), titleOf(others)),
        }),
      onMove: (names, by) => this.move(names, by),
      onHeight: (height) => this.change({ layout: { ...this.view.layout, height } }, { replace: true }),
    };
  }

  move(names, by) {
    const charts = orderCharts(this.view.metrics, this.view.pins);
    const index = charts.findIndex((each) => nameKey(each) === nameKey(names));
    this.reorder(names, { metrics: moveChart(charts, index, by) });
  }

  /** Change where the chart of `names` is; it stays in view, as its button has the focus. */
  reorder(names, partial) {
    this.change(partial);
    this.charts.get(nameKey(names))?.figure.scrollIntoView({ block: "nearest" });
  }

  /** Mark the charts as busy while what they show is read, and until they are drawn. */
  setReading(isReading) {
    this.isReading = isReading;
    this.showBusy();
  }

  showBusy() {
    this.element.setAttribute("aria-busy", String(this.isReading || !this.queue.isEmpty));
  }

  /** Let the lines of a run stand out, of all alike for null. */
  highlight(key) {
    for (const chart of this.charts.values()) chart.setHighlighted(key);
  }

  /** Draw the charts again if their width has changed, or if they fill a frame, its height. */
  resize() {
    const size = `${this.element.clientWidth} ${this.view?.embed ? innerHeight : ""}`;
    if (size === this.size) return;
    this.size = size;
    if (this.view) this.layOut();
    for (const chart of this.charts.values()) chart.redraw();
  }

  /** As many columns as the view asks for, else as have room. */
  layOut() {
    const width = this.element.clientWidth || document.documentElement.clientWidth;
    const room = Math.min(MOST_COLUMNS, Math.max(1, Math.floor((width + GAP) / (COLUMN_WIDTH + GAP))));
    const count = Math.max(1, this.view.layout.columns ?? Math.min(room, Math.max(1, this.view.metrics.length)));
    this.element.style.setProperty("--columns", String(count));
    this.store.points = Math.ceil((POINTS_PER_PIXEL * width) / count / 400) * 400;
  }
}

const nameKey = (names) => JSON.stringify(names);

// Whether a chart of `names` is the one that had the metrics `before`; the first one is that which others have joined.
const beginsAlike = (before, names) => before[0] === names[0];
const overlaps = (before, names) => before.some((name) => names.includes(name));

/** What is chosen for each chart, by title, but for that of `title`. */
function without(byTitle, title) {
  return Object.fromEntries(Object.entries(byTitle).filter(([each]) => each !== title));
}

/** What is chosen for each chart, by title, after the chart `title` has got the title `other`. */
function rename(byTitle, title, other) {
  return Object.fromEntries(Object.entries(byTitle).map(([each, value]) => [each === title ? other : each, value]));
}

/** The logarithmic scales of charts after that of a chart is toggled: one that is as in all charts follows them. */
function toggleLog(view, title) {
  const log = !scaleOf(view, title).log;
  return { ...without(view.yLogs, title), ...(log !== view.yScale.log && { [title]: log }) };
}

/** The charts, one of them with the metrics `others` instead of `names`; what joins it leaves the other charts. */
function replaceChart(charts, names, others) {
  const key = nameKey(names);
  const added = others.filter((name) => !names.includes(name));
  return charts
    .map((chart) => (nameKey(chart) === key ? others : chart.filter((name) => !added.includes(name))))
    .filter((chart) => chart.length);
}

/** The hidden runs after one is toggled, or after all others are hidden, or shown again. */
function toggle(runs, hidden, key, isAlone) {
  if (!isAlone) return hidden.includes(key) ? hidden.filter((each) => each !== key) : [...hidden, key];
  const others = runs.map((run) => run.key).filter((each) => each !== key);
  return others.every((each) => hidden.includes(each)) ? [] : others;
}

function togglePins(pins, names) {
  return names.some((name) => pins.includes(name)) ? pins.filter((name) => !names.includes(name)) : [...pins, names[0]];
}
