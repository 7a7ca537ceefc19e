// The charts of a view in which none are chosen. As long as they are kept, they follow the selection. No DOM.

import { chooseFirstMetrics } from "./metric_choice.js";

export class DefaultCharts {
  /** `series` lists the metrics of runs, `known` remembers them. */
  constructor(series, known) {
    Object.assign(this, { series, known, chosen: null });
  }

  /** Return the charts for `runs`, null if those of `view` stay as they are. */
  async choose(runs, view, signal) {
    const isEmpty = view.metrics.length === 0;
    if (!isEmpty && JSON.stringify(view.metrics) !== this.chosen) return null;
    const asked = isEmpty ? runs : runs.filter(({ key }) => !this.known.hasNames(key));
    if (!asked.length) return null;
    this.known.found(await this.series.listMetrics(asked, signal));
    const namesOfRuns = runs.map(({ key }) => this.known.listNames(key));
    const charts = chooseFirstMetrics(this.known.countMetrics(view.workloads), namesOfRuns);
    this.chosen = JSON.stringify(charts);
    return charts;
  }
}
