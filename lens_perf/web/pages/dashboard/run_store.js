// What is known of the runs in view: their progress and the statistics of their metrics. No DOM.

import { assignSlots, styleOf } from "./colours.js";
import { keyIn, keyOf } from "./view_state.js";

export class RunStore {
  /** `client` has readProgresses, readSummaries and findListed of api_client.js. */
  constructor(client) {
    this.client = client;
    this.slots = new Map();
    // By key of a run, what the API returned last, or an Error.
    this.progress = new Map();
    // By key of a run, the time of its progress, in milliseconds; and the keys of runs that had no answer since.
    this.readAt = new Map();
    this.old = new Set();
    this.summaries = new Map();
    // By key of a run, the names of the metrics that were asked about.
    this.summarized = new Map();
    // By key of a run without progress, its entry in the list of workloads, null if there is none.
    this.listed = new Map();
    // By key of a run, the number of data points of each metric.
    this.metrics = new Map();
    // By key of a run, the names that a preview has found, while the numbers of data points are not known.
    this.names = new Map();
  }

  /** Read the progress of `workloads` in one request. */
  async loadProgress(workloads, signal) {
    if (!workloads.length) return;
    try {
      this.takeProgress(await this.client.readProgresses(workloads, signal));
    } catch (error) {
      if (error.name !== "AbortError") this.takeProgress(failAll(workloads, error));
      throw error;
    }
    await Promise.all(workloads.map((workload) => this.loadListed(workload, signal)));
  }

  takeProgress(answer) {
    keep(this.progress, answer);
    for (const key of answer.workloads.map(keyIn)) {
      this.readAt.set(key, Date.now());
      this.old.delete(key);
    }
    for (const key of answer.warnings.map(keyIn)) this.old.add(key);
  }

  /** A workload without progress may have records without times, of which the list has the iteration, or none. */
  async loadListed(workload, signal) {
    const key = keyOf(workload);
    const progress = this.progress.get(key);
    if (this.old.has(key)) return;
    if (progress && !(progress instanceof Error) && progress.state === null)
      this.listed.set(key, await this.client.findListed(workload, signal));
    else this.listed.delete(key);
  }

  /** Read the statistics of `names` of `workloads` in one request; with `onlyNew`, of those not read before. */
  async loadSummaries(workloads, names, signal, { onlyNew = false } = {}) {
    const asked = JSON.stringify(names);
    const wanted = workloads.filter((workload) => !onlyNew || this.summarized.get(keyOf(workload)) !== asked);
    if (!wanted.length || !names.length) return;
    keep(this.summaries, await this.client.readSummaries(wanted, names, signal));
    for (const workload of wanted) this.summarized.set(keyOf(workload), asked);
  }

  /** Find out which metrics `workloads` have. */
  async loadMetrics(workloads, signal) {
    if (!workloads.length) return;
    const { workloads: found } = await this.client.readSummaries(workloads, [], signal);
    for (const each of found) {
      const counts = new Map();
      for (const { metric_name: name, count } of each.metrics) counts.set(name, (counts.get(name) ?? 0) + count);
      this.metrics.set(keyIn(each), counts);
    }
  }

  /** Take metrics that were found otherwise, by key of a run. */
  found(names) {
    for (const [key, found] of names) this.names.set(key, found);
  }

  hasNames(key) {
    return this.metrics.has(key) || this.names.has(key);
  }

  /** Return the metrics of a run that are known. */
  listNames(key) {
    return [...(this.metrics.get(key)?.keys() ?? this.names.get(key) ?? [])];
  }

  /** Return the number of data points by metric, of all `workloads`; null where it is not known. */
  countMetrics(workloads) {
    const counts = new Map();
    for (const key of workloads.map(keyOf)) {
      const found = this.metrics.get(key);
      for (const name of this.listNames(key)) {
        const before = counts.get(name) ?? null;
        counts.set(name, found ? before + found.get(name) : before);
      }
    }
    return counts;
  }

  /** Return the runs of `view`, in its order, as the run table and the charts take them. */
  build(view) {
    this.slots = assignSlots(view.workloads.map(keyOf), this.slots);
    return view.workloads.map((workload) => this.buildRun(workload, view));
  }

  buildRun(workload, view) {
    const key = keyOf(workload);
    const progress = this.progress.get(key) ?? null;
    const isKnown = progress !== null && !(progress instanceof Error);
    const slot = this.slots.get(key);
    const apart = view.attempts[key] ?? null;
    return {
      key,
      ...workload,
      name: nameRun(workload, view.workloads),
      slot,
      ...styleOf(slot),
      isVisible: !view.hidden.includes(key),
      isSplit: apart !== null,
      attempts: isKnown ? progress.attempts.map(describeAttempt(slot, apart)) : [],
      state: isKnown ? progress.state : null,
      // When the progress was read, if it could not be read since; else null.
      asOf: isKnown && this.old.has(key) ? this.readAt.get(key) : null,
      progress,
      summary: this.summaries.get(key) ?? null,
      counts: this.metrics.get(key) ?? null,
      exists: this.listed.get(key) !== null,
      iteration: (isKnown ? progress.current_iteration : null) ?? this.listed.get(key)?.last_iteration ?? null,
    };
  }
}

/** The name of a run: its uid, and its cluster if the view has a run of the same uid in another one. */
const nameRun = ({ cluster, uid }, workloads) =>
  workloads.some((other) => other.uid === uid && other.cluster !== cluster) ? `${uid} · ${cluster}` : uid;

/** The last attempt has the colour of the run. */
const describeAttempt = (slot, apart) => (attempt, place, attempts) => ({
  number: attempt.number,
  serial: attempt.serial,
  ...styleOf(slot, attempts.length - 1 - place),
  isVisible: apart === null || apart.includes(attempt.number),
  firstIteration: attempt.first_iteration,
  lastIteration: attempt.last_iteration,
  firstTimestamp: attempt.first_timestamp,
  lastTimestamp: attempt.last_timestamp,
  records: attempt.records,
  redoneFrom: attempt.discarded_from,
});

/** What `keep` takes if a request of `workloads` fails. */
const failAll = (workloads, { message }) => ({
  workloads: [],
  warnings: workloads.map(({ cluster, uid }) => ({ cluster, workload_uid: uid, message })),
});

/** Keep what was returned of each workload; one that could not be answered keeps what it had, else the reason. */
function keep(known, { workloads, warnings }) {
  for (const each of workloads) known.set(keyIn(each), each);
  for (const each of warnings) {
    const key = keyIn(each);
    if (!known.has(key) || known.get(key) instanceof Error) known.set(key, new Error(each.message));
  }
}
