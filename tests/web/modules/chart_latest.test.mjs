// The order of training of the points of a line.
import assert from "node:assert/strict";
import { test } from "node:test";

import { orderByTraining } from "../../../lens_perf/web/pages/dashboard/chart_latest.js";

const makeLine = (iterations, times, x = iterations.map((_, place) => place)) => ({ x, iterations, times });

test("along a metric, points are sorted by iteration, then by time", () => {
  assert.deepEqual(orderByTraining(makeLine([3, 2, 1], [30, 20, 10]), "lr"), [2, 1, 0]);
  assert.deepEqual(orderByTraining(makeLine([5, 5, 4], [60, 50, 70]), "lr"), [2, 1, 0]);
  assert.deepEqual(orderByTraining(makeLine([2, 2, 2], [NaN, 1, NaN]), "lr"), [0, 2, 1]);
});

test("points without iterations are sorted by time, and come first", () => {
  assert.deepEqual(orderByTraining(makeLine([NaN, 2, NaN], [30, 20, 10]), "tokens"), [2, 0, 1]);
});

test("along iterations and times, points are in the order of training", () => {
  for (const axis of ["iteration", "time", "relative_time"])
    assert.deepEqual(orderByTraining(makeLine([NaN, 2, 1], [1, 2, 3]), axis), [0, 1, 2]);
});
