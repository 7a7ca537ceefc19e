// What is known of the workloads in view: their metrics and their series, from a first glance to the latest point.

import { glance, listMetrics, readChanges, readSeries } from "./api_client.js";
import { Series } from "./series.js";
import { isSame } from "./view_state.js";

const FIRST_METRICS = ["lm_loss", "loss", "train/loss", "train_loss", "accuracy", "learning_rate"];
const GLANCE_POINTS = 150;
const METRICS_MS = 30000;
// Of a million records, some questions take seconds: the database then rests this many times as long.
export const REST_FACTOR = 10;

export const keyOf = ({ cluster, uid }) => `${cluster}/${uid}`;

export class HeldData {
  constructor() {
    this.held = [];
    // By workload, the number of points by metric; null where a glance has found the metric.
    this.metrics = new Map();
    // By workload, when to ask for its metrics again.
    this.restUntil = new Map();
  }

  clear() {
    this.held = [];
  }

  /** Take a glance at workloads that are not held yet: of a million iterations, the whole takes seconds. */
  async lookAtNew({ workloads, axis, range }, signal) {
    const within = axis === "iteration" ? range : null;
    const glances = await Promise.all(workloads.map((workload) =>
      this.held.some((each) => isSame(each.workload, workload)) ? null : glance(workload, within, GLANCE_POINTS, signal)));
    if (!glances.some(Boolean)) return;
    this.held = workloads.map((workload, index) => {
      if (!glances[index]) return { ...this.held.find((each) => isSame(each.workload, workload)), index };
      const found = glances[index].series.map(({ metric_name: name }) => [name, null]);
      if (!this.metrics.has(keyOf(workload))) this.metrics.set(keyOf(workload), new Map(found));
      return hold(workload, index, glances[index]);
    });
  }

  /** Read the series in view, thinned out to `maxPoints`. */
  async read({ workloads, metrics, axis, range }, maxPoints, signal) {
    const answers = await Promise.all(workloads.map((workload) =>
      metrics.length ? readSeries(workload, metrics, { axis, range, maxPoints }, signal) : { series: [], cursor: null }));
    if (!signal.aborted) this.held = workloads.map((workload, index) => hold(workload, index, answers[index]));
  }

  /** Apply the changes since the last poll by the rule of docs/polling.rst; call `onChange` with each workload that has
   * any. Return whether everything has to be read again. */
  async follow(metrics, signal, onChange) {
    for (const each of this.held) {
      if (!each.cursor) continue;
      const answer = await readChanges(each.workload, metrics, each.cursor, signal);
      if (signal.aborted) return false;
      if (answer.reset) return true;
      each.cursor = answer.cursor;
      if (!answer.changed.length) continue;
      for (const one of each.series) one.drop(answer.changed);
      for (const added of answer.series) {
        const one = each.series.find(({ metric, source }) => metric === added.metric_name && source === added.data_source);
        if (one) one.take(added);
        else each.series.push(hold(each.workload, each.index, { series: [added] }).series[0]);
      }
      await onChange(each.workload);
    }
    return false;
  }

  /** Ask what metrics there are, which a glance does not tell for certain, and now and then which came since. */
  async loadMetrics(workloads) {
    await Promise.all(workloads.map(async (workload) => {
      const began = Date.now();
      if (began < (this.restUntil.get(keyOf(workload)) ?? 0)) return;
      this.restUntil.set(keyOf(workload), Infinity);
      try {
        const { metrics } = await listMetrics(workload);
        this.metrics.set(keyOf(workload), new Map(metrics.map(({ name, count }) => [name, count])));
        this.restUntil.set(keyOf(workload), Date.now() + Math.max(METRICS_MS, REST_FACTOR * (Date.now() - began)));
      } catch (error) {
        this.restUntil.delete(keyOf(workload));
        throw error;
      }
    }));
  }

  /** The metrics of `workloads` with their numbers of points, null where these are not known. */
  countMetrics(workloads) {
    const counted = new Map();
    for (const each of workloads) {
      for (const [name, count] of this.metrics.get(keyOf(each)) ?? []) {
        counted.set(name, count === null ? counted.get(name) ?? null : (counted.get(name) ?? 0) + count);
      }
    }
    return counted;
  }

  /** Some metrics that everybody looks at, else the first. */
  chooseMetrics(workloads) {
    const known = [...this.countMetrics(workloads)].filter(([, count]) => count !== 0).map(([name]) => name);
    const usual = FIRST_METRICS.filter((name) => known.includes(name));
    return (usual.length ? usual : known).slice(0, 2);
  }

  /** The series of a metric, each with its workload and the place of that. */
  seriesOf(metric) {
    return this.held.flatMap(({ workload, index, series }) => {
      const all = series.filter((one) => one.metric === metric);
      return all.map((one) => ({ one, workload, index, isOneOfMany: all.length > 1 }));
    });
  }

  /** Whether a series has more points than `most`. */
  isHeavy(most) {
    return this.held.some(({ series }) => series.some(({ points }) => points.size > most));
  }
}

function hold(workload, index, answer) {
  const series = answer.series.map((told) => {
    const one = new Series(workload, told);
    one.take(told);
    return one;
  });
  return { workload, index, series, cursor: answer.cursor };
}
