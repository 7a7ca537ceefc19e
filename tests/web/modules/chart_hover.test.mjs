// What a chart shows where the pointer is.
import assert from "node:assert/strict";
import { test } from "node:test";

import { findClosest, findPoints } from "../../../lens_perf/web/pages/dashboard/chart_hover.js";
import { addTrends, layOutLines } from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
import { VIEW, makeRun, series } from "./lines.mjs";

test("the pointer finds a point of each line, the greatest value first", () => {
  const runs = [makeRun([], { key: "a/1", name: "one" }), makeRun([], { key: "a/2", name: "two" })];
  const held = {
    "a/1": [series(1, 10)],
    "a/2": [series(1, 10, { value: (iteration) => (iteration === 5 ? "NaN" : 1000) })],
  };
  const lines = layOutLines(["loss"], runs, (key) => held[key], VIEW);
  assert.deepEqual(
    findPoints(lines, 4.2, [1, 10]).map(({ line, raw }) => [line.label, raw]),
    [
      ["two", 1000],
      ["one", 96],
    ],
  );
  assert.deepEqual(
    findPoints(lines, 5, [1, 10]).map(({ line, raw }) => [line.label, raw]),
    [
      ["one", 95],
      ["two", NaN],
    ],
  );
  assert.deepEqual(findPoints(lines, 50, [1, 100]), []);
  const points = findPoints(lines, 4, [1, 10]);
  assert.equal(findClosest(points, 90, (value) => value).line.label, "one");
});

test("a finite point beside NaN has a smoothed value", () => {
  const held = [series(1, 10, { value: (iteration) => (iteration % 3 === 1 ? "NaN" : 5) })];
  const lines = addTrends(
    layOutLines(["loss"], [makeRun()], () => held, VIEW),
    { kind: "ema", weight: 0.9 },
    9,
  );
  assert.deepEqual(
    [2, 3, 4, 5].map((at) => Math.round(findPoints(lines, at, [1, 10])[0].shown)),
    [5, 5, NaN, 5],
  );
});

test("the smoothed value of a point is that of the nearest finite one", () => {
  const line = { x: [1, 2, 3, 4], values: [1, 2, 3, 4], kept: 4, trend: { x: [1, 2.1, 4], y: [10, NaN, 40] } };
  const shownAt = (at) => findPoints([line], at, [1, 4])[0].shown;
  // The point at 2 is nearest to the pointer at 2.4, and the smoothed value at 1 to that point.
  assert.deepEqual([1, 2, 2.4, 2.6, 4].map(shownAt), [10, 10, 10, 40, 40]);
  const nowhere = { ...line, trend: { x: [2], y: [NaN] } };
  assert.equal(findPoints([nowhere], 2, [1, 4])[0].shown, 2);
});
