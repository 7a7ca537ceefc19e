// Ranges of axes, and how the nearest point is found.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  findNearest,
  findPlace,
  findWithin,
  findXRange,
  findYRange,
  stepAlong,
} from "../../../lens_perf/web/pages/dashboard/chart_ranges.js";

const line = (x, y) => ({ x: Float64Array.from(x), y: Float64Array.from(y), path: { y: Float64Array.from(y) } });
const data = { log: false, range: null, ignoreOutliers: false };

test("x holds all points, also those that are not finite", () => {
  assert.deepEqual(findXRange([line([1, 400], [1, NaN]), line([-5], [2])]), [-5, 400]);
  assert.deepEqual(findXRange([line([7], [1])]), [6.5, 7.5]);
  assert.equal(findXRange([line([], [])]), null);
});

test("y holds the paths of all lines", () => {
  const [low, high] = findYRange([line([1, 2], [5, NaN]), line([3], [10])], data);
  assert.ok(low < 5 && low > 4 && high > 10 && high < 11);
  assert.equal(findYRange([line([1], [NaN])], data), null);
});

test("y as fixed, whatever the data", () => {
  assert.deepEqual(findYRange([line([1], [5])], { ...data, range: [0, 2] }), [0, 2]);
  const highOf = (range) => findYRange([line([1], [5])], { ...data, log: true, range });
  assert.deepEqual(
    [highOf([0, 20]), highOf([-5, 2]), highOf([-5, 0])],
    [
      [2, 20],
      [0.2, 2],
      [2.5, 10],
    ],
  );
});

test("y with one fixed end: the other follows the data, and is beyond it", () => {
  const find = (range, log = false) => findYRange([line([1, 2], [10, 20])], { ...data, log, range });
  const [low, high] = find(null);
  assert.deepEqual(find([0, null]), [0, high]);
  assert.deepEqual(find([null, 15]), [low, 15]);
  assert.deepEqual(find([30, null]), [30, 30 + high - low]);
  assert.deepEqual(find([null, 5]), [5 - (high - low), 5]);
  assert.deepEqual(find([1e20, null]), [1e20, 1.1e20]);
  assert.deepEqual([find([2, null], true)[0], find([500, null], true)], [2, [500, 5000]]);
  assert.deepEqual(find([0, null], true), find(null, true));
  assert.equal(findYRange([], { ...data, range: [0, null] }), null);
});

test("y without outliers", () => {
  const values = Array.from({ length: 1000 }, (_, index) => (index === 500 ? 1e9 : Math.sin(index)));
  const [low, high] = findYRange([line(values.keys(), values)], { ...data, ignoreOutliers: true });
  assert.ok(high < 1.2 && high > 0.9 && low < -0.9);
});

test("a logarithmic range leaves out what has no logarithm", () => {
  const [low, high] = findYRange([line([1, 2, 3, 4], [-1, 0, 0.01, 100])], { ...data, log: true });
  assert.ok(low > 0 && low < 0.01 && high > 100);
  assert.deepEqual(findYRange([line([1], [8])], { ...data, log: true }), [4, 16]);
});

test("a constant has room around it", () => {
  assert.deepEqual(findYRange([line([1, 2], [0, 0])], data), [-1, 1]);
  assert.deepEqual(findYRange([line([1, 2], [10, 10])], data), [9, 11]);
});

test("places in ascending values", () => {
  const x = [1, 2, 2, 5];
  assert.deepEqual(
    [0, 1, 2, 3, 9].map((value) => findPlace(x, value)),
    [0, 0, 1, 3, 4],
  );
  assert.deepEqual(findWithin(x, [2, 2]), [1, 3]);
  assert.deepEqual(
    [-9, 1.6, 3.4, 3.6, 99].map((value) => findNearest(x, value)),
    [0, 1, 2, 3, 3],
  );
  assert.equal(findNearest([], 1), -1);
});

test("steps along x go from one value to another, from wherever the cursor is", () => {
  const x = Float64Array.from([1, 2, 2, 2, 3, 3, 5]);
  const places = (from, ...steps) => steps.map((step) => stepAlong(x, from, step));
  assert.deepEqual(places(2, -1, 1, 2), [1, 3, 5]);
  assert.deepEqual(places(2.9, -1, 1), [2, 5]);
  assert.deepEqual(places(9, -1, 1), [3, 5]);
  assert.deepEqual(places(2, -Infinity, Infinity, -20, 20), [1, 5, 1, 5]);
  assert.deepEqual(places(null, -1, 1, -Infinity), [5, 5, 1]);
});
