// What the store holds of the whole range while a part of it is shown.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RUNS, VIEW, full, iterationsOf, load, reset, runOf, service, signal } from "./series_service.mjs";

const { SeriesStore } = await import("../../../lens_perf/web/pages/dashboard/series_store.js");
const { findAwaited } = await import("../../../lens_perf/web/pages/dashboard/series_requests.js");

beforeEach(reset);

test("the whole range is held while a part of it is shown, and followed from where it was", async () => {
  const store = new SeriesStore();
  await load(store);
  const cursors = service.asked.length;
  service.stored.one = [2];
  await load(store, { ...VIEW, xRange: [2, 2] });
  await load(store, { ...VIEW, xRange: [2, 3] });
  assert.deepEqual(iterationsOf(store, "a/one"), [2]);
  service.asked = [];
  assert.deepEqual(await store.load(RUNS, VIEW, { signal, points: 800 }), ["a/one", "a/two"]);
  assert.equal(service.asked.length, 0);
  assert.deepEqual(iterationsOf(store, "a/one"), [1, 2]);
  service.changes = { one: { iterations: [3] } };
  await store.follow(RUNS, VIEW, signal);
  assert.equal(service.asked.at(-1).query.get("after"), `one${cursors}.two${cursors}`);
  assert.deepEqual(iterationsOf(store, "a/one"), [1, 2, 3]);
});

test("a metric that was out of view while a part was shown is read again with the whole", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, { ...VIEW, xRange: [1, 2] });
  await load(store, { ...VIEW, metrics: [["loss"]] });
  assert.equal(service.asked.length, 0);
  await load(store);
  assert.deepEqual(
    full().map(({ query }) => query.getAll("metric")),
    [["lr"]],
  );
});

test("a whole range that is to be sampled again is not held", async () => {
  const store = new SeriesStore();
  await load(store);
  await load(store, { ...VIEW, xRange: [1, 2] });
  store.isStale = true;
  assert.deepEqual(await store.load(RUNS, VIEW, { signal, points: 800 }), []);
  assert.equal(full().length, 2);
});

const sorted = (store, key, name) => iterationsOf(store, key, name).sort((one, other) => one - other);

test("of a part, the points next to it are held, also if nothing is held of the whole", async () => {
  const store = new SeriesStore();
  service.stored = { one: [1, 50, 100, 150, 200, 250], two: [300] };
  await load(store, { ...VIEW, xRange: [99.5, 170] });
  assert.deepEqual(sorted(store, "a/one"), [50, 100, 150, 200]);
  assert.deepEqual(sorted(store, "a/one", "lr"), [50, 100, 150, 200]);
  assert.deepEqual(sorted(store, "a/two"), [300]);
  await load(store, { ...VIEW, xRange: [101, 149] });
  assert.deepEqual(sorted(store, "a/one"), [100, 150]);
  // The times are the iterations.
  await load(store, { ...VIEW, axis: "time", xRange: [180, 210] });
  assert.deepEqual(sorted(store, "a/one"), [150, 200, 250]);
  const runs = [{ ...runOf("one"), progress: { first_timestamp: 1 } }];
  await load(store, { ...VIEW, axis: "relative_time", xRange: [180, 210] }, runs);
  assert.deepEqual(sorted(store, "a/one"), [150, 200, 250]);
  await load(store, { ...VIEW, xRange: [0, 20] });
  assert.deepEqual(sorted(store, "a/one"), [1, 50]);
  assert.ok(service.asked.every(({ query }) => query.get("end_iteration") !== "-1"));
});

test("what comes after a part is held, and a run that is to be read anew is read within the part", async () => {
  const store = new SeriesStore();
  const view = { ...VIEW, xRange: [2, 3] };
  service.stored = { one: [1, 2, 3] };
  await load(store, view, RUNS.slice(0, 1));
  service.changes = { one: { iterations: [4, 5] } };
  const follow = () => store.follow(RUNS.slice(0, 1), view, signal);
  assert.deepEqual(await follow(), { changedRuns: ["a/one"], mustReload: false });
  assert.deepEqual(sorted(store, "a/one"), [1, 2, 3, 4, 5]);
  service.changes = { one: { reset: true } };
  assert.equal((await follow()).mustReload, true);
});

test("a range of relative time is read again once it is known when the run began", async () => {
  const store = new SeriesStore();
  const view = { ...VIEW, axis: "relative_time", xRange: [80, 110] };
  service.stored = { one: [1, 50, 100, 150, 200], two: [1] };
  const [one, two] = RUNS.map((run) => ({ ...run, progress: { first_timestamp: 10 } }));
  assert.deepEqual(findAwaited([RUNS[0], two], view), [RUNS[0]]);
  assert.deepEqual(findAwaited(RUNS, { ...view, align: "restart" }), []);
  assert.deepEqual(findAwaited(RUNS, { ...view, xRange: null }), []);
  await load(store, view, [RUNS[0], two]);
  await load(store, view, [one, two]);
  assert.deepEqual(
    full().map(({ query }) => [...["workload", "start", "end"].map((name) => query.get(name))]),
    [["a/one", "90", "120"]],
  );
  await load(store, view, [one, two]);
  assert.equal(service.asked.length, 0);
});

test("of aligned attempts, all is read, whichever range is shown", async () => {
  const store = new SeriesStore();
  const view = { ...VIEW, align: "restart" };
  await load(store, { ...view, xRange: [2, 3] });
  assert.equal(full()[0].query.get("start_iteration"), null);
  await load(store, view);
  assert.equal(service.asked.length, 0);
});
