// What a chart shows where the pointer is.
import assert from "node:assert/strict";
import { test } from "node:test";

import { findClosest, findPoints } from "../../../lens_perf/web/pages/dashboard/chart_hover.js";
import { layOutLines } from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
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
