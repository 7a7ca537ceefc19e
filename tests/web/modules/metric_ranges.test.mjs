// The iterations of a range of a metric that is the x axis.
import assert from "node:assert/strict";
import { test } from "node:test";

import { findIterations } from "../../../lens_perf/web/pages/dashboard/metric_ranges.js";

const series = (iterations, positions, serial = 0) => ({ source: "log", serial, iterations, positions });

test("the points within the range and their neighbours", () => {
  assert.deepEqual(findIterations([series([1, 2, 3, 4, 5], [10, 20, 30, 40, 50])], [25, 35]), [2, 4]);
});

test("a range between two points is the iterations between them", () => {
  assert.deepEqual(findIterations([series([1, 100, 200, 300], [10, 1000, 2000, 3000])], [1400, 1500]), [100, 200]);
});

test("beyond the first and the last point, a range is open", () => {
  const held = [series([10, 20, 30, 40], [1, 2, 3, 4])];
  assert.deepEqual(findIterations(held, [0, 1.5]), [null, 20]);
  assert.deepEqual(findIterations(held, [3.5, 9]), [30, null]);
  assert.equal(findIterations(held, [8, 9]), null);
});

test("a metric that falls, or goes up and down", () => {
  assert.deepEqual(findIterations([series([1, 2, 3, 4, 5], [50, 40, 30, 20, 10])], [28, 32]), [2, 4]);
  assert.deepEqual(findIterations([series([1, 2, 3, 4, 5, 6, 7], [0, 9, 5, 0, 5, 9, 0])], [4, 6]), [null, null]);
});

test("attempts that redid iterations are followed apart, metrics of one attempt together", () => {
  const attempts = [series([1, 5, 9, 13], [10, 50, 90, 130], 0), series([5, 9, 13, 17], [500, 900, 1300, 1700], 1)];
  assert.deepEqual(findIterations(attempts, [60, 80]), [5, 9]);
  const metrics = [series([1, 50, 100], [10, 500, 1000]), series([40, 60, 70], [400, 600, 700])];
  assert.deepEqual(findIterations(metrics, [610, 690]), [60, 70]);
});

test("points without an iteration or a position say nothing", () => {
  assert.equal(findIterations([series([NaN, 2], [1, NaN]), series([1, 2], null)], [0, 9]), null);
  assert.equal(findIterations([], [0, 9]), null);
});
