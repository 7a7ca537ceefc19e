// What the store asks for: only what is missing, all runs at once; and what it does with changes.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RUNS, VIEW, full, iterationsOf, load, reset, runOf, service, signal } from "./series_service.mjs";

const { SeriesStore } = await import("../../../lens_perf/web/pages/dashboard/series_store.js");

beforeEach(reset);

test("one request for all runs and metrics; what is held is not asked for again", async () => {
  const store = new SeriesStore();
  await load(store);
  assert.equal(full().length, 1);
  assert.deepEqual(full()[0].query.getAll("workload"), ["a/one", "a/two"]);
  assert.deepEqual(full()[0].query.getAll("metric"), ["loss", "lr"]);
  assert.equal(full()[0].query.get("split"), "serial");
  assert.deepEqual(iterationsOf(store, "a/one"), [1, 2]);
  assert.equal(store.seriesOf("a/one", "loss")[0].width, 4);
  await load(store);
  assert.equal(service.asked.length, 0);
});

test("a metric or a run that is added is asked for alone", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, { ...VIEW, metrics: [["loss"], ["lr"], ["new"]] });
  assert.deepEqual(
    full().map(({ query }) => query.getAll("metric")),
    [["new"]],
  );
  service.stored.three = [5];
  await load(store, VIEW, [...RUNS, runOf("three")]);
  assert.deepEqual(
    full().map(({ query }) => query.getAll("workload")),
    [["a/three"]],
  );
});

test("another range or axis is read again, within that range", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, { ...VIEW, xRange: [1.5, 3.2] });
  assert.deepEqual(
    ["start_iteration", "end_iteration"].map((name) => full()[0].query.get(name)),
    ["1", "4"],
  );
  await load(store, { ...VIEW, axis: "time", xRange: [10, 20] });
  assert.deepEqual(
    ["axis", "start", "end"].map((name) => full()[0].query.get(name)),
    ["time", "10", "20"],
  );
  await load(store, { ...VIEW, axis: "relative_time" });
  assert.equal(full()[0].query.get("axis"), "time");
  await load(store, { ...VIEW, axis: "tokens" });
  assert.equal(full()[0].query.get("axis"), "tokens");
});

test("a range of relative time is one of time for each run", async () => {
  const store = new SeriesStore();
  const runs = RUNS.map((run, index) => ({ ...run, progress: { first_timestamp: 1000 * (index + 1) } }));
  await load(store, { ...VIEW, axis: "relative_time" }, runs);
  await load(store, { ...VIEW, axis: "relative_time", xRange: [10, 20] }, runs);
  assert.deepEqual(
    full().map(({ query }) => [query.get("workload"), query.get("start"), query.get("end")]),
    [
      ["a/one", "1010", "1020"],
      ["a/two", "2010", "2020"],
    ],
  );
});

const ranges = () =>
  full().map(({ query }) => ["workload", "start_iteration", "end_iteration"].map((name) => query.get(name)));

test("a range of a metric is one of iterations for each run, by the points at hand", async () => {
  const store = new SeriesStore();
  service.stored = { one: [1, 100, 200, 300, 400], two: [1, 150, 400] };
  const view = { ...VIEW, axis: "tokens" };
  await load(store, view);
  // In the fake service, a record of iteration n has 10 n tokens.
  await load(store, { ...view, xRange: [1200, 1800] });
  assert.deepEqual(ranges(), [
    ["a/one", "100", "200"],
    ["a/two", null, null],
  ]);
  service.stored.one = [100, 130, 160, 200];
  await load(store, { ...view, xRange: [1250, 1800] });
  await load(store, { ...view, xRange: [1400, 1500] });
  assert.deepEqual(ranges()[0], ["a/one", "130", "160"]);
  assert.equal(full()[0].query.get("axis"), "tokens");
  await load(store, { ...view, xRange: [3500, 9000] });
  assert.deepEqual(ranges()[0], ["a/one", "300", null]);
});

test("an address with a range of a metric has the whole read first", async () => {
  const store = new SeriesStore();
  service.stored = { one: [1, 100, 200, 300] };
  await load(store, { ...VIEW, axis: "tokens", xRange: [1200, 1800] }, RUNS.slice(0, 1));
  assert.deepEqual(ranges(), [
    ["a/one", null, null],
    ["a/one", "100", "200"],
  ]);
});

test("the metrics of the first screen come first, the others in few requests", async () => {
  const store = new SeriesStore();
  const metrics = Array.from({ length: 30 }, (_, index) => [`m${index}`]);
  await load(store, { ...VIEW, metrics });
  assert.deepEqual(
    full().map(({ query }) => query.getAll("metric").length),
    [4, 12, 12, 2],
  );
});

test("changes of all runs come in one request with one cursor", async () => {
  const store = new SeriesStore();
  await load(store);
  service.changes = { one: { iterations: [2, 3] } };
  service.asked = [];
  assert.deepEqual(await store.follow(RUNS, VIEW, signal), { changedRuns: ["a/one"], mustReload: false });
  assert.equal(service.asked.length, 1);
  assert.match(service.asked[0].query.get("after"), /^one\d+\.two\d+$/);
  assert.deepEqual(iterationsOf(store, "a/one"), [1, 2, 3]);
  assert.deepEqual(iterationsOf(store, "a/two"), [1]);
  service.changes = {};
  assert.deepEqual(await store.follow(RUNS.slice(1), VIEW, signal), { changedRuns: [], mustReload: false });
  assert.match(service.asked[1].query.get("after"), /^two\d+$/);
});

test("a reset replaces the points of its run alone", async () => {
  const store = new SeriesStore();
  await load(store);
  service.stored.two = [7, 8];
  service.changes = { two: { reset: true } };
  assert.deepEqual((await store.follow(RUNS, VIEW, signal)).changedRuns, ["a/two"]);
  assert.deepEqual(iterationsOf(store, "a/two"), [7, 8]);
  assert.deepEqual(iterationsOf(store, "a/one"), [1, 2]);
});

test("a run whose copy is being built is asked for again, and it alone", async () => {
  const store = new SeriesStore();
  service.stored.two = null;
  await load(store);
  assert.equal(store.warnings[0].message, "37 % done");
  assert.equal(store.isRead("a/two", ["loss"]), false);
  assert.equal((await store.follow(RUNS, VIEW, signal)).mustReload, true);
  service.stored.two = [9];
  await load(store);
  assert.deepEqual(
    full().map(({ query }) => query.getAll("workload")),
    [["a/two"]],
  );
  assert.deepEqual(iterationsOf(store, "a/two"), [9]);
  assert.equal((await store.follow(RUNS, VIEW, signal)).mustReload, false);
});

test("a metric that was out of view for a while is read again, as its changes were not followed", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, { ...VIEW, metrics: [["loss"]] });
  assert.equal(service.asked.length, 0);
  await load(store);
  assert.deepEqual(
    full().map(({ query }) => query.getAll("metric")),
    [["lr"]],
  );
});

test("a series that has grown far beyond its sample is sampled again", async () => {
  const store = new SeriesStore();
  await load(store);
  service.changes = { one: { iterations: Array.from({ length: 4000 }, (_, index) => index + 10) } };
  assert.equal((await store.follow(RUNS, VIEW, signal)).mustReload, true);
  await load(store);
  assert.deepEqual(full()[0].query.getAll("workload"), ["a/one", "a/two"]);
});

test("names that are too long for a request line are sent in a body", async () => {
  const store = new SeriesStore();
  const runs = Array.from({ length: 40 }, (_, index) => runOf(`${"x".repeat(200)}${index}`));
  for (const { uid } of runs) service.stored[uid] = [1];
  await load(store, VIEW, runs);
  assert.ok(service.asked.every(({ method }) => method === "POST"));
});

test("the names of metrics come from a small preview", async () => {
  const store = new SeriesStore();
  service.asked = [];
  assert.deepEqual(
    [...(await store.listMetrics(RUNS, signal))],
    [
      ["a/one", ["loss", "lr"]],
      ["a/two", ["loss", "lr"]],
    ],
  );
  assert.equal(service.asked[0].query.get("method"), "stride");
  assert.deepEqual([...(await store.listMetrics([], signal))], []);
});

test("a failed request is remembered until the next one is answered", async () => {
  const store = new SeriesStore();
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.reject(new TypeError("refused"));
  await assert.rejects(load(store));
  assert.equal(store.failure, "The service cannot be reached.");
  globalThis.fetch = fetch;
  await load(store);
  assert.equal(store.failure, null);
});

test("runs that leave the view are forgotten", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, VIEW, RUNS.slice(0, 1));
  assert.deepEqual(store.seriesOf("a/two", "loss"), []);
});

test("warnings of runs that were not asked about stay; a run that gets or loses one has changed", async () => {
  const store = new SeriesStore();
  await load(store);
  const uids = () => store.warnings.map(({ workload_uid: uid }) => uid);
  service.stored.one = null;
  assert.deepEqual((await store.follow(RUNS, VIEW, signal)).changedRuns, ["a/one"]);
  assert.deepEqual((await store.follow(RUNS.slice(1), VIEW, signal)).changedRuns, []);
  assert.deepEqual(uids(), ["one"]);
  service.stored.one = [1, 2];
  assert.deepEqual((await store.follow(RUNS, VIEW, signal)).changedRuns, ["a/one"]);
  assert.deepEqual(uids(), []);
  service.stored.two = null;
  await store.follow(RUNS, VIEW, signal);
  await load(store, VIEW, RUNS.slice(0, 1));
  assert.deepEqual(uids(), []);
});
