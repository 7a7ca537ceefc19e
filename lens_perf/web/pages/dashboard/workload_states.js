// The states of the workloads that the list shows, read a few at a time. No DOM.

import { keyOf } from "./view_state.js";

const BATCH = 10;
// The first read of a long workload takes the database seconds: its state is read when it is selected.
const MOST_RECORDS = 300_000;
const SLOW_MS = 2000;
const OVER = ["ended", "finished"];

export class WorkloadStates {
  constructor(client) {
    this.client = client;
    // By key, {state, time}: the state, and the time of the last record that it was read with.
    this.known = new Map();
  }

  stateOf(key) {
    return this.known.get(key)?.state ?? null;
  }

  /** Take the states of runs that were read otherwise. */
  take(runs) {
    for (const { key, state, progress } of runs)
      if (state) this.known.set(key, { state, time: progress.last_timestamp });
  }

  /** Read what is not known yet, or may have changed; `onState` is called after each request. */
  async load(listed, signal, onState) {
    const wanted = listed.filter((each) => this.isWanted(each));
    for (let start = 0; start < wanted.length && !signal.aborted; start += BATCH) {
      const batch = wanted.slice(start, start + BATCH);
      const began = Date.now();
      const { workloads } = await this.client.readProgresses(
        batch.map(({ cluster, workload_uid: uid }) => ({ cluster, uid })),
        signal,
      );
      for (const { cluster, workload_uid: uid, state, last_timestamp: time } of workloads)
        this.known.set(keyOf({ cluster, uid }), { state, time });
      onState();
      if (Date.now() - began > SLOW_MS) return;
    }
  }

  isWanted({ cluster, workload_uid: uid, records, last_timestamp: time }) {
    if (records > MOST_RECORDS) return false;
    const known = this.known.get(keyOf({ cluster, uid }));
    return (
      !known || (known.state !== null && known.time !== time) || (known.state !== null && !OVER.includes(known.state))
    );
  }
}
