// The states of the workloads that the list shows: read a few at a time, those of long workloads estimated. No DOM.

import { estimateState } from "./state_estimates.js";
import { keyIn, keyOf } from "./view_state.js";

const BATCH = 10;
// The first read of a longer workload takes the database seconds; it is read when it is selected.
const MOST_RECORDS = 300_000;
const SLOW_MS = 2000;
const OVER = ["ended", "finished"];

const workloadOf = ({ cluster, workload_uid: uid }) => ({ cluster, uid });

export class WorkloadStates {
  constructor(client) {
    this.client = client;
    // By key, {state, time}: the state, and the time of the last record that it was read with; isEstimate.
    this.known = new Map();
    // Keys of the runs in view, whose states are read otherwise, and of those whose state cannot be read now.
    this.taken = new Set();
    this.old = new Set();
    // By key of a long workload, its target, or null.
    this.targets = new Map();
  }

  stateOf(key) {
    return this.known.get(key)?.state ?? null;
  }

  isEstimate(key) {
    return this.known.get(key)?.isEstimate ?? false;
  }

  /** Take the states of runs that were read otherwise. */
  take(runs) {
    const stated = runs.filter(({ state }) => state);
    this.taken = new Set(stated.map(({ key }) => key));
    this.old = new Set(stated.filter(({ asOf }) => asOf).map(({ key }) => key));
    for (const { key, state, progress } of stated) this.known.set(key, { state, time: progress.last_timestamp });
    for (const key of this.old) this.known.delete(key);
  }

  /** Read what is not known yet, or may have changed; `onState` is called after each request. */
  async load(listed, signal, onState) {
    const wanted = listed.filter((each) => this.isWanted(each));
    const isLong = ({ records }) => records > MOST_RECORDS;
    if (wanted.some(isLong)) await this.estimate(wanted.filter(isLong), signal, onState);
    const short = wanted.filter((each) => !isLong(each));
    for (let start = 0; start < short.length && !signal.aborted; start += BATCH) {
      const began = Date.now();
      const batch = short.slice(start, start + BATCH).map(workloadOf);
      const { workloads } = await this.client.readProgresses(batch, signal);
      for (const each of workloads) this.known.set(keyIn(each), { state: each.state, time: each.last_timestamp });
      onState();
      if (Date.now() - began > SLOW_MS) return;
    }
  }

  /** Estimate the states of long workloads; their targets are looked up once, and again when they are passed. */
  async estimate(listed, signal, onState) {
    const isPassed = (each) => (this.targets.get(keyIn(each)) ?? Infinity) < each.last_iteration;
    const unknown = listed.filter((each) => !this.targets.has(keyIn(each)) || isPassed(each)).map(workloadOf);
    if (unknown.length) {
      const found = await this.client.readTargets(unknown, signal);
      for (const workload of unknown) this.targets.set(keyOf(workload), found.get(keyOf(workload)) ?? null);
    }
    for (const each of listed) {
      const state = estimateState(each, this.targets.get(keyIn(each)), Date.now());
      this.known.set(keyIn(each), { state, time: each.last_timestamp, isEstimate: true });
    }
    onState();
  }

  isWanted(listed) {
    if (listed.isOld || this.old.has(keyIn(listed))) return false;
    const known = this.known.get(keyIn(listed));
    if (!known) return true;
    if (this.taken.has(keyIn(listed)) && listed.records > MOST_RECORDS) return false;
    return known.state !== null && (known.time !== listed.last_timestamp || !OVER.includes(known.state));
  }
}
