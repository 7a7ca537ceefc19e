import assert from "node:assert/strict";
import test from "node:test";

import {
  describeAttempt,
  describeCost,
  describeState,
  findSorted,
  listColumns,
  nextSort,
  sortRuns,
} from "../../../lens_perf/web/pages/dashboard/run_columns.js";
import { writeRuns } from "../../../lens_perf/web/pages/dashboard/run_export.js";
import { DEFAULTS } from "../../../lens_perf/web/pages/dashboard/view_state.js";

const progress = (more = {}) => ({
  state: "running",
  health: { status: "ok", reasons: [] },
  non_finite: [],
  current_iteration: 150,
  target_iteration: 1000,
  share_done: 0.15,
  last_timestamp: 0,
  seconds_per_iteration: null,
  eta: null,
  restarts: 0,
  iterations_repeated: 0,
  seconds_lost_to_restarts: 0,
  goodput: 1,
  ...more,
});
const run = (name, more = {}, summary = null) => {
  const known = more instanceof Error || more === null ? more : progress(more);
  const { state = null, current_iteration: iteration = null } = known ?? {};
  return { key: `c/${name}`, uid: name, name, cluster: "c", exists: true, progress: known, state, iteration, summary };
};
const { table } = DEFAULTS;
const columns = listColumns(["loss"], { ...table, values: ["last", "least", "greatest"] });
const text = (name, of) => columns.find((column) => column.name === name).describe(of).text;
const point = (value) => ({ value, iteration: 7, timestamp: 0 });
const summary = (last, more = {}) => ({
  metrics: [
    { metric_name: "loss", last: point(last), least: point(1), greatest: point(9), non_finite_since: null, ...more },
  ],
});

test("states", () => {
  const state = (of) => describeState(of).text;
  assert.equal(state(run("a", { state: "ended" })), "Ended");
  assert.equal(state({ ...run("a", { state: null }), exists: false }), "No such workload");
  assert.equal(state(run("a", { state: null })), "No times");
  assert.equal(state(run("a", null)), "Loading");
  assert.equal(state(run("a", new Error("away"))), "No answer");
  const nan = run("a", {
    non_finite: [{ metric_name: "loss", since_iteration: 351 }],
    health: { reasons: ["non_finite_loss"] },
  });
  assert.equal(state(nan), "Running, loss not finite");
  assert.match(describeState(nan).title, /loss is not finite since iteration 351/);
  assert.equal(describeState(nan).kind, "trouble");
  const old = { ...run("a", { eta: { seconds: 5 } }), asOf: new Date().setHours(0, 1, 0, 0) };
  assert.deepEqual([state(old), describeState(old).kind, text("eta", old)], ["Running, as of 00:01", "old", "–"]);
});

test("cells", () => {
  assert.equal(text("iteration", run("a")), "150 / 1,000");
  assert.equal(text("iteration", run("a", { target_iteration: null })), "150");
  assert.equal(text("iteration", run("a", { state: null, current_iteration: null }, summary(2))), "–");
  assert.equal(text("iteration", { ...run("a", { state: null }), iteration: 1500 }), "1,500");
  assert.equal(text("last:loss", run("a", {}, summary(0.25))), "0.25");
  assert.equal(text("last:loss", run("a", {}, summary(0.25, { non_finite_since: { iteration: 8 } }))), "not finite");
  assert.equal(text("least:loss", run("a")), "–");
});

test("the columns are those that are chosen, and the name", () => {
  const list = (chosen) => listColumns(["loss", "lr"], { ...table, ...chosen }).map(({ name }) => name);
  assert.deepEqual(list({ progress: ["eta", "state"] }), ["name", "state", "eta", "last:loss", "last:lr"]);
  assert.deepEqual(list({ progress: [], values: [] }), ["name"]);
  assert.equal(list({}).length, 10);
  assert.equal(findSorted(columns, "-least:loss").heading, "least");
  assert.deepEqual([findSorted(columns, "least:lr"), findSorted(columns, null)], [undefined, undefined]);
});

test("sorting puts runs without a value last, both ways", () => {
  const runs = [run("b", {}, summary(3)), run("none"), run("a", {}, summary(10))];
  const order = (sort) =>
    sortRuns(runs, columns, sort)
      .map(({ name }) => name)
      .join(" ");
  assert.equal(order("last:loss"), "b a none");
  assert.equal(order("-last:loss"), "a b none");
  assert.equal(order("name"), "a b none");
  assert.equal(order(null), "b none a");
  assert.equal(order("last:gone"), "b none a");
  assert.deepEqual([nextSort(null, "eta"), nextSort("eta", "eta"), nextSort("-eta", "eta")], ["eta", "-eta", null]);
});

test("attempts and what restarts cost", () => {
  const attempt = { number: 3, serial: 2, firstIteration: 1, lastIteration: 900, redoneFrom: 600 };
  assert.deepEqual(describeAttempt(attempt), {
    name: "Attempt 3, serial 2",
    iterations: "1 to 900",
    discarded: "600 to 900 discarded",
  });
  assert.equal(describeAttempt({ ...attempt, serial: null, redoneFrom: null }).discarded, "");
  assert.equal(
    describeCost({ restarts: 3, iterations_repeated: 900, seconds_lost_to_restarts: 2261 }),
    "3 restarts; iterations redone: 900; time lost: 37 min 41 s",
  );
  assert.equal(describeCost({ restarts: 0 }), "No restarts");
});

test("a file has the numbers of the table", () => {
  const nan = { non_finite_since: { iteration: 8, timestamp: 0 } };
  const runs = [
    run("a", { seconds_per_iteration: { median: 2.25 }, eta: { seconds: 90 } }, summary(0.5)),
    run("=b,c", {}, summary(3, nan)),
    run("down", new Error("away")),
  ];
  assert.deepEqual(writeRuns(runs, columns).split("\r\n"), [
    "run,cluster,state,iteration,eta_seconds,seconds_per_iteration,restarts,goodput,last_timestamp," +
      "loss last,loss least,loss greatest,target_iteration",
    "a,c,Running,150,90,2.25,0,1,0,0.5,1,9,1000",
    `"'=b,c",c,Running,150,,,0,1,0,not finite,1,9,1000`,
    "down,c,No answer,,,,,,,,,,",
    "",
  ]);
  const few = listColumns(["loss"], { ...table, progress: ["state"] });
  assert.deepEqual(writeRuns(runs.slice(0, 1), few).split("\r\n"), [
    "run,cluster,state,loss last",
    "a,c,Running,0.5",
    "",
  ]);
});
