// How lines are painted, by the calls that a canvas receives.
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeFrame, paint } from "../../../lens_perf/web/pages/dashboard/chart_painter.js";

/** A canvas that keeps the width of each stroke of more than one point. */
function makeCanvas() {
  const widths = [];
  let points = 0;
  const ignore = () => {};
  const methods = Object.fromEntries(["save", "restore", "rect", "clip", "setLineDash"].map((name) => [name, ignore]));
  return {
    ...methods,
    widths,
    beginPath: () => (points = 0),
    moveTo: () => (points += 1),
    lineTo: () => (points += 1),
    arc: ignore,
    fill: ignore,
    stroke() {
      if (points > 1) widths.push(this.lineWidth);
    },
  };
}

function paintLine(points, xRange, ratio = 1) {
  const x = Float64Array.from({ length: points }, (_, index) => index);
  const line = { run: "a/one", x, y: x, values: x, gaps: [], kept: points, colour: "#123456", dash: [], trend: null };
  const place = { left: 0, top: 0, width: 400 * ratio, height: 100 * ratio };
  const canvas = makeCanvas();
  const frame = makeFrame(place, xRange, [0, points], { log: false, ratio });
  paint(canvas, { lines: [line], restarts: [], nonFinite: [] }, frame, { bad: "#ff0000" });
  return canvas.widths;
}

test("the lines of a chart of many visible points are a pixel wide", () => {
  assert.deepEqual(paintLine(4000, [0, 3999]), [1.6]);
  assert.deepEqual(paintLine(5000, [0, 4999]), [1]);
  assert.deepEqual(paintLine(5000, [0, 4999], 2), [2]);
  assert.deepEqual(paintLine(5000, [0, 1000]), [1.6]);
});
