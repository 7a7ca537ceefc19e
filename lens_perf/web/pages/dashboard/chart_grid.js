// The charts of a view, one for each of its metrics.

import uPlot from "../vendor/uPlot.esm.js";

import { Chart } from "./charts.js";
import { isDark } from "./theme.js";

const LEAST_POINTS = 400;

export class ChartGrid {
  constructor(element, { change, store }) {
    Object.assign(this, { element, change, store });
    this.charts = new Map();
    element.addEventListener("dblclick", () => change({ xRange: null }));
  }

  /** Draw what the store holds of `runs`. */
  show(runs, view) {
    const names = runs.length ? view.metrics.flat() : [];
    for (const [name, chart] of this.charts) {
      if (names.includes(name)) continue;
      chart.remove();
      this.charts.delete(name);
    }
    const way = { axis: view.axis, log: view.yScale.log, smoothing: view.smoothing.weight, range: view.xRange, dark: isDark() };
    names.forEach((name, index) => this.place(name, index).show(this.linesOf(name, runs), way));
  }

  linesOf(name, runs) {
    return this.store.seriesOf(name, runs.filter(({ isVisible }) => isVisible)).map(({ one, run, isOneOfMany }) => ({
      one, colour: run.colour, label: isOneOfMany ? `${run.name} (${one.source})` : run.name,
    }));
  }

  /** Only a figure that is new, or elsewhere, is moved: one that is moved loses the focus. */
  place(name, index) {
    if (!this.charts.has(name)) this.charts.set(name, new Chart(uPlot, name, (xRange) => this.change({ xRange })));
    const chart = this.charts.get(name);
    const place = this.element.children[index];
    if (place !== chart.figure) this.element.insertBefore(chart.figure, place ?? null);
    return chart;
  }

  resize() {
    this.store.points = Math.max(LEAST_POINTS, 2 * this.element.clientWidth);
    for (const chart of this.charts.values()) chart.resize();
  }

  highlight() {}
}
