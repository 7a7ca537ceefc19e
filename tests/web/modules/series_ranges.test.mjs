// What the store holds of the whole range while a part of it is shown.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RUNS, VIEW, full, iterationsOf, load, reset, service, signal } from "./series_service.mjs";

const { SeriesStore } = await import("../../../lens_perf/web/pages/dashboard/series_store.js");

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
