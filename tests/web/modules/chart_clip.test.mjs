// What of a line is seen in a range of x.
import assert from "node:assert/strict";
import { test } from "node:test";

import { clipLines } from "../../../lens_perf/web/pages/dashboard/chart_clip.js";
import { addTrends } from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
import { layOut, makeRun, series } from "./lines.mjs";

const makeLine = (x, y, more = {}) => ({
  x: Float64Array.from(x),
  y: Float64Array.from(y),
  values: Float64Array.from(y),
  kept: x.length,
  gaps: [],
  unbiased: [...x.keys()],
  trend: null,
  ...more,
});
const clipOne = (line, xRange, log = false) => clipLines([line], xRange, log)[0];
const pathOf = (...given) => {
  const { x, y } = clipOne(...given).path;
  return [...x].map((at, index) => [at, y[index]]);
};

test("a line leads on to both ends of the range, where its neighbours are", () => {
  const line = makeLine([0, 10, 20, 30], [0, 1, 3, 7]);
  const clipped = clipOne(line, [5, 25]);
  assert.deepEqual([...clipped.x], [10, 20]);
  assert.deepEqual([...clipped.values], [1, 3]);
  assert.deepEqual(pathOf(line, [5, 25]), [
    [5, 0.5],
    [10, 1],
    [20, 3],
    [25, 5],
  ]);
  // It ends where its points do.
  assert.deepEqual(pathOf(line, [-5, 5]), [
    [-5, NaN],
    [0, 0],
    [5, 0.5],
  ]);
  assert.deepEqual(pathOf(line, [0, 30]).length, 6);
});

test("a line without a point in the range is seen if it passes through", () => {
  const line = makeLine([0, 1000], [4, 1]);
  assert.deepEqual(pathOf(line, [250, 500]), [
    [250, 3.25],
    [500, 2.5],
  ]);
  assert.equal(clipOne(line, [250, 500]).x.length, 0);
  for (const range of [
    [-20, -10],
    [1001, 1002],
  ])
    assert.deepEqual(clipLines([line], range, false), []);
  assert.deepEqual(clipLines([makeLine([0, 1000], [4, NaN])], [250, 500], false), []);
});

test("on a logarithmic scale, a line is straight there", () => {
  const [[, first], [, last]] = pathOf(makeLine([0, 100], [1, 100]), [25, 50], true);
  assert.ok(Math.abs(first - 10 ** 0.5) < 1e-9 && Math.abs(last - 10) < 1e-9);
  assert.deepEqual(clipLines([makeLine([0, 100], [-1, 100])], [25, 50], true), []);
});

test("discarded points, gaps and NaN stay what they are beside the range", () => {
  const line = makeLine([0, 10, 20, 30], [1, 2, 3, 4], { kept: 2, gaps: [1, 3] });
  const path = (...range) => clipOne(line, range).path;
  assert.deepEqual([path(5, 25).kept, path(12, 25).kept, path(22, 25).kept], [2, 1, 0]);
  assert.equal(path(1, 5).kept, 2);
  // Nothing is drawn from the last point that is kept to the first that is discarded.
  assert.deepEqual([...path(20, 25).y].slice(0, 2), [NaN, 3]);
  assert.deepEqual(clipLines([line], [11, 12], false), []);
  assert.deepEqual([path(5, 25).gaps, path(12, 25).gaps, path(1, 5).gaps], [[1, 3], [2], [1]]);
  assert.deepEqual(pathOf(makeLine([0, 10, 20], [1, 2, NaN]), [5, 15]), [
    [5, 1.5],
    [10, 2],
    [15, NaN],
  ]);
});

test("a smoothed line leads on, too, and keeps its places among the points", () => {
  const plain = layOut(makeRun(), [series(1, 100)]);
  const [line] = clipLines(addTrends(plain, { kind: "ema", weight: 0.5 }, 20), [10.5, 30.5], false);
  assert.equal(line.x.length, 20);
  assert.deepEqual([...line.trend.x], [...line.x]);
  assert.deepEqual([...line.unbiased], [...line.x.keys()]);
  assert.equal(line.trend.path.x.length, 22);
  assert.ok(line.trend.path.y.every(Number.isFinite));
});
