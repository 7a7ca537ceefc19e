// The rule of docs/polling.rst: a client that follows it has what a full read returns.
import assert from "node:assert/strict";
import { test } from "node:test";

import { applyChanges, holdSeries } from "../../../lens_perf/web/pages/dashboard/series_changes.js";

const told = (iterations, values = iterations, extra = {}) => ({
  metric_name: "loss",
  data_source: "log",
  serial: 0,
  iterations,
  timestamps: iterations.map((each) => (each === null ? null : each * 1000)),
  values,
  ...extra,
});
const list = (held) => held.map(({ serial, iterations, values }) => [serial, [...iterations], [...values]]);

test("columns of numbers: NaN for no iteration, no time, and values that are not finite", () => {
  const held = holdSeries(told([1, null, 3, 4], [0.5, "NaN", "Infinity", "-Infinity"]), 64);
  assert.deepEqual([...held.iterations], [1, NaN, 3, 4]);
  assert.deepEqual([...held.times], [1000, NaN, 3000, 4000]);
  assert.deepEqual([...held.values], [0.5, NaN, Infinity, -Infinity]);
  assert.equal(held.width, 64);
  assert.equal(held.positions, null);
  assert.deepEqual([...holdSeries(told([1], [2], { axis_values: [0.25] })).positions], [0.25]);
});

test("points of changed pairs are dropped, then those of the answer are added", () => {
  const held = [holdSeries(told([1, 2, 3]))];
  const after = applyChanges(
    held,
    [
      { data_source: "log", iteration: 2 },
      { data_source: "log", iteration: 4 },
    ],
    [told([2, 4], [20, 40])],
  );
  assert.deepEqual(list(after), [[0, [1, 3, 2, 4], [1, 3, 20, 40]]]);
  assert.deepEqual(list(held), [[0, [1, 2, 3], [1, 2, 3]]], "what was held is left as it was");
});

test("a pair belongs to its data source, and applies to all of its series", () => {
  const held = [
    holdSeries(told([1, 2])),
    holdSeries(told([1, 2], [1, 2], { data_source: "wandb" })),
    holdSeries(told([2], [5], { serial: 1 })),
  ];
  const after = applyChanges(held, [{ data_source: "log", iteration: 2 }], [told([2], [9], { serial: 1 })]);
  assert.deepEqual(list(after), [
    [0, [1], [1]],
    [0, [1, 2], [1, 2]],
    [1, [2], [9]],
  ]);
});

test("records without an iteration form one pair; series without points are gone; new ones come", () => {
  const held = [holdSeries(told([null, null], [1, 2]))];
  assert.deepEqual(applyChanges(held, [{ data_source: "log", iteration: null }], []), []);
  assert.deepEqual(list(applyChanges([], [{ data_source: "log", iteration: 1 }], [told([1], [7])])), [[0, [1], [7]]]);
});

test("nothing changed: nothing is copied", () => {
  const held = [holdSeries(told([1, 2]))];
  assert.equal(applyChanges(held, [{ data_source: "log", iteration: 3 }], [])[0], held[0]);
});

test("to apply an answer twice changes nothing", () => {
  const changed = [{ data_source: "log", iteration: 3 }];
  const once = applyChanges([holdSeries(told([1, 2]))], changed, [told([3])]);
  assert.deepEqual(list(applyChanges(once, changed, [told([3])])), list(once));
});
