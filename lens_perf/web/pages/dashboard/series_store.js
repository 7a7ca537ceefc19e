// The series of the runs in view: a preview first, then the full ones, then what is added.

import { preview, readChanges, readSeries } from "./api_client.js";
import { Series } from "./series.js";

const PREVIEW_POINTS = 150;

export class SeriesStore {
  constructor() {
    this.held = [];
    this.points = 800;
  }

  /** Read the series of `runs`; `onPreview` is called when the coarse ones of new runs can be drawn. */
  async load(runs, view, { signal, points = this.points, onPreview }) {
    await this.loadPreview(runs, view, signal);
    onPreview?.();
    const metrics = view.metrics.flat();
    const range = { axis: view.axis, range: view.xRange, maxPoints: points };
    const answers = await Promise.all(runs.map((run) =>
      metrics.length ? readSeries(run, metrics, range, signal) : { series: [], cursor: null }));
    if (!signal.aborted) this.held = runs.map((run, index) => hold(run, answers[index]));
  }

  async loadPreview(runs, view, signal) {
    const within = view.axis === "iteration" ? view.xRange : null;
    const previews = await Promise.all(runs.map((run) => this.find(run) ? null : preview(run, within, PREVIEW_POINTS, signal)));
    if (!signal.aborted) this.held = runs.map((run, index) => (previews[index] ? hold(run, previews[index]) : this.find(run)));
  }

  find(run) {
    return this.held.find(({ key }) => key === run.key);
  }

  /** Apply the changes since the last call by the rule of docs/polling.rst. */
  async follow(runs, view, signal) {
    const changedRuns = [];
    for (const run of runs) {
      const held = this.find(run);
      if (!held?.cursor) continue;
      const answer = await readChanges(run, view.metrics.flat(), held.cursor, signal);
      if (signal.aborted) break;
      if (answer.reset) return { changedRuns, mustReload: true };
      held.cursor = answer.cursor;
      if (!answer.changed.length) continue;
      changedRuns.push(run.key);
      for (const one of held.series) one.drop(answer.changed);
      for (const added of answer.series) {
        const one = held.series.find(({ metric, source }) => metric === added.metric_name && source === added.data_source);
        if (one) one.take(added);
        else held.series.push(...hold(run, { series: [added] }).series);
      }
    }
    return { changedRuns, mustReload: this.held.some(({ series }) => series.some(({ points }) => points.size > 8 * this.points)) };
  }

  /** The metrics that the previews have found; their numbers of points are not known. */
  async listMetrics(runs, signal) {
    await this.loadPreview(runs, { axis: "iteration", xRange: null }, signal);
    return new Map(this.held.flatMap(({ series }) => series.map(({ metric }) => [metric, null])));
  }

  /** The series of a metric, each with its run. */
  seriesOf(metric, runs) {
    return runs.flatMap((run) => {
      const all = (this.find(run)?.series ?? []).filter((one) => one.metric === metric);
      return all.map((one) => ({ one, run, isOneOfMany: all.length > 1 }));
    });
  }
}

function hold(run, answer) {
  const series = answer.series.map((found) => {
    const one = new Series(run, found);
    one.take(found);
    return one;
  });
  return { key: run.key, series, cursor: answer.cursor };
}
