// How lines are painted, by the calls that a canvas receives.
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeFrame, paint } from "../../../lens_perf/web/pages/dashboard/chart_painter.js";

/** A canvas that keeps the width of each stroke of more than one point, its dashes, and where it goes along x. */
function makeCanvas() {
  const widths = [];
  const dashes = [];
  const strokes = [];
  let points = 0;
  const ignore = () => {};
  const methods = Object.fromEntries(["save", "restore", "rect", "clip"].map((name) => [name, ignore]));
  return {
    ...methods,
    widths,
    dashes,
    strokes,
    setLineDash: (dash) => dashes.push(dash),
    beginPath: () => (points = 0),
    moveTo: () => (points += 1),
    lineTo(x) {
      points += 1;
      strokes.push(x);
    },
    arc: ignore,
    fill: ignore,
    stroke() {
      if (points > 1) widths.push(this.lineWidth);
    },
  };
}

function paintLine(points, xRange, { ratio = 1, dash = [] } = {}) {
  const x = Float64Array.from({ length: points }, (_, index) => index);
  const line = { run: "a/one", x, y: x, values: x, gaps: [], kept: points, colour: "#123456", dash, trend: null };
  const place = { left: 0, top: 0, width: 400 * ratio, height: 100 * ratio };
  const canvas = makeCanvas();
  const frame = makeFrame(place, xRange, [0, points], { log: false, ratio });
  paint(canvas, { lines: [line], restarts: [], nonFinite: [] }, frame, { bad: "#ff0000" });
  return canvas;
}

test("the lines of a chart of many visible points are a pixel wide", () => {
  assert.deepEqual(paintLine(4000, [0, 3999]).widths, [1.6]);
  assert.deepEqual(paintLine(5000, [0, 4999]).widths, [1]);
  assert.deepEqual(paintLine(5000, [0, 4999], { ratio: 2 }).widths, [2]);
  assert.deepEqual(paintLine(5000, [0, 1000]).widths, [1.6]);
});

test("a line of few points is dashed by the canvas", () => {
  const { dashes, strokes } = paintLine(300, [0, 299], { dash: [5, 3], ratio: 2 });
  assert.deepEqual(dashes[2], [10, 6]);
  assert.equal(strokes.length, 299);
});

test("a line of several points a pixel is dashed along x", () => {
  const { dashes, strokes } = paintLine(4001, [0, 4000], { dash: [5, 3] });
  assert.ok(dashes.every((dash) => dash.length === 0 || dash[0] !== 5));
  const pixels = new Set(strokes.map((x) => Math.floor(x) % 8));
  assert.deepEqual([...pixels].sort(), [0, 1, 2, 3, 4]);
});
