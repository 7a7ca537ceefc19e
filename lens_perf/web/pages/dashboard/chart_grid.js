// The charts of a view in a grid: one for each list of metrics, drawn when they are on the screen.

import { Chart } from "./chart.js";
import { DrawQueue } from "./draw_queue.js";
import { moveChart, orderCharts } from "./metric_choice.js";
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
    const keys = wanted.map((names) => JSON.stringify(names));
    for (const [key, chart] of this.charts) {
      if (keys.includes(key)) continue;
      for (const observer of [this.observer, this.screen]) observer.unobserve(chart.figure);
      chart.remove();
      this.charts.delete(key);
    }
    this.layOut();
    wanted.forEach((names, index) => this.place(names, keys[index], index).show(runs, view, this.store));
  }

  /** The chart of `names` as the `index`th; only one that is new or elsewhere is moved, as that takes its focus. */
  place(names, key, index) {
    if (!this.charts.has(key)) {
      const chart = new Chart(names, this.makeActions(), this.queue);
      chart.figure.dataset.key = key;
      this.charts.set(key, chart);
      for (const observer of [this.observer, this.screen]) observer.observe(chart.figure);
    }
    const chart = this.charts.get(key);
    const place = this.element.children[index];
    if (place !== chart.figure) this.element.insertBefore(chart.figure, place ?? null);
    return chart;
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
      onPin: (names) => this.change({ pins: togglePins(this.view.pins, names) }),
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
    const index = charts.findIndex((each) => JSON.stringify(each) === JSON.stringify(names));
    this.change({ metrics: moveChart(charts, index, by) });
    this.charts.get(JSON.stringify(names))?.place.focus();
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
  const key = JSON.stringify(names);
  const added = others.filter((name) => !names.includes(name));
  return charts
    .map((chart) => (JSON.stringify(chart) === key ? others : chart.filter((name) => !added.includes(name))))
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
