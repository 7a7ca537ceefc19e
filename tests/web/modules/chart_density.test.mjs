import assert from "node:assert/strict";
import test from "node:test";

import { markSparse } from "../../../lens_perf/web/pages/dashboard/chart_density.js";

/** A line of a point for every `step` iterations from `first` to `last`. */
const line = (first, last, step, run = "a/one") => ({
  run,
  x: Float64Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step),
});
const sparse = (lines, xRange = [0, 5000]) => markSparse(lines, xRange).map(({ isSparse }) => isSparse);

test("a line is sparse beside a denser one of its run, or a much denser one of another", () => {
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 100)]), [false, true]);
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 3)]), [false, true]);
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 3, "a/two")]), [false, false]);
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 50, "a/two")]), [false, true]);
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 10, "a/two")]), [false, false]);
});

test("a line alone is not sparse, nor is a short one", () => {
  assert.deepEqual(sparse([line(0, 5000, 100)]), [false]);
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 50, 1)]), [false, false]);
  assert.deepEqual(sparse([]), []);
});

test("of a line, the points in the range count", () => {
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 100)], [990, 1010]), [false, true]);
  assert.equal(sparse([line(0, 400, 1), line(300, 5000, 100)], [1000, 5000])[1], false);
});

test("a line that passes through the range is sparse beside one of points there", () => {
  assert.deepEqual(sparse([line(0, 5000, 1), line(0, 5000, 100)], [1010, 1030]), [false, true]);
  assert.deepEqual(sparse([line(0, 5000, 100), line(50, 5000, 200)], [110, 190]), [false, false]);
});

test("points at one place or close to each other make no other line sparse", () => {
  const at = (...x) => ({ run: "a/one", x: Float64Array.from(x) });
  assert.deepEqual(sparse([line(0, 5000, 1), at(5000, 5000)]), [false, true]);
  assert.deepEqual(sparse([line(0, 5000, 1), at(4999.5, 5000)])[0], false);
});
