// The states of long workloads, from their entries in the list.
import assert from "node:assert/strict";
import { test } from "node:test";

import { estimateState } from "../../../lens_perf/web/pages/dashboard/state_estimates.js";

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
// A record a second.
const LISTED = { records: 400_001, first_timestamp: 0, last_timestamp: 400_000_000, last_iteration: 400_000 };
const at = (silence) => LISTED.last_timestamp + silence;

test("running, stalled, ended: by the time since the last record", () => {
  assert.equal(estimateState(LISTED, null, at(9 * MINUTE)), "running");
  assert.equal(estimateState(LISTED, null, at(11 * MINUTE)), "stalled");
  assert.equal(estimateState(LISTED, null, at(0.9 * DAY)), "stalled");
  assert.equal(estimateState(LISTED, null, at(1.1 * DAY)), "ended");
});

test("a workload with rare records is given more time", () => {
  const rare = { ...LISTED, first_timestamp: LISTED.last_timestamp - 400_000 * 10 * MINUTE };
  assert.equal(estimateState(rare, null, at(90 * MINUTE)), "running");
  assert.equal(estimateState(rare, null, at(2 * 60 * MINUTE)), "stalled");
});

test("finished: its target is reached", () => {
  assert.equal(estimateState(LISTED, 400_000, at(0)), "finished");
  assert.equal(estimateState(LISTED, 400_001, at(0)), "running");
  assert.equal(estimateState(LISTED, 400_001, at(9 * DAY)), "ended");
});

test("nothing is said without times or iterations", () => {
  assert.equal(estimateState({ ...LISTED, last_timestamp: null }, null, at(0)), null);
  assert.equal(estimateState({ ...LISTED, last_iteration: null }, null, at(0)), null);
});
