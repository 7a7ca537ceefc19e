// How lines are painted, by the calls that a canvas receives.
import assert from "node:assert/strict";
import { test } from "node:test";

import { clipLines } from "../../../lens_perf/web/pages/dashboard/chart_clip.js";
import { makeFrame, paint } from "../../../lens_perf/web/pages/dashboard/chart_painter.js";

/** A canvas that keeps the width and colour of each stroke of more than one point, dashes, markers and ends. */
function makeCanvas() {
  const widths = [];
  const colours = [];
  const markers = [];
  const dashes = [];
  const strokes = [];
  let points = 0;
  const ignore = () => {};
  const methods = Object.fromEntries(["save", "restore", "rect", "clip"].map((name) => [name, ignore]));
  return {
    ...methods,
    widths,
    colours,
    markers,
    dashes,
    strokes,
    setLineDash: (dash) => dashes.push(dash),
    beginPath: () => (points = 0),
    moveTo: () => (points += 1),
    lineTo(x) {
      points += 1;
      strokes.push(x);
    },
    arc(x) {
      markers.push([this.fillStyle, x]);
    },
    fill: ignore,
    stroke() {
      if (points < 2) return;
      widths.push(this.lineWidth);
      colours.push(this.strokeStyle);
    },
  };
}

function makeLine(points, { dash = [], step = 1, ...more } = {}) {
  const x = Float64Array.from({ length: points }, (_, index) => index * step);
  const line = { run: "a/one", x, y: x, values: x, gaps: [], kept: points, colour: "#123456", dash, trend: null };
  return { ...line, ...more };
}

function paintLines(lines, xRange, { ratio = 1 } = {}) {
  const place = { left: 0, top: 0, width: 400 * ratio, height: 100 * ratio };
  const canvas = makeCanvas();
  const frame = makeFrame(place, xRange, [0, lines[0].x.length], { log: false, ratio });
  paint(canvas, { lines: clipLines(lines, xRange, false), restarts: [], nonFinite: [] }, frame, {
    bad: "#ff0000",
    paper: "#ffffff",
  });
  return canvas;
}

const paintLine = (points, xRange, { ratio = 1, dash = [] } = {}) =>
  paintLines([makeLine(points, { dash })], xRange, { ratio });

test("the lines of a chart of many visible points are a pixel wide", () => {
  assert.deepEqual(paintLine(4000, [0, 3999]).widths, [1.6]);
  assert.deepEqual(paintLine(5000, [0, 4999]).widths, [1]);
  assert.deepEqual(paintLine(5000, [0, 4999], { ratio: 2 }).widths, [2]);
  assert.deepEqual(paintLine(5000, [0, 1000]).widths, [1.6]);
});

test("a sparse line is painted last, on a halo, with a marker at each point", () => {
  const sparse = makeLine(5, { step: 1000, isSparse: true, colour: "#abcdef" });
  const { colours, widths, markers } = paintLines([sparse, makeLine(5001)], [0, 5000]);
  assert.deepEqual(colours, ["#123456", "#ffffff", "#abcdef"]);
  assert.ok(widths[1] > widths[2] && widths[2] > widths[0]);
  const places = [0, 80, 160, 240, 320];
  assert.deepEqual(markers, [
    ...places.map((place) => ["#ffffff", place]),
    ...places.map((place) => ["#abcdef", place]),
  ]);
});

test("a line is painted to both ends of the range, with markers at its points alone", () => {
  const { strokes, markers } = paintLine(9, [2.5, 4.5]);
  assert.deepEqual(strokes, [100, 300, 400]);
  assert.deepEqual(
    markers.map(([, x]) => x),
    [100, 300],
  );
  assert.deepEqual(paintLine(9, [2.5, 2.75]).strokes, [400]);
  assert.deepEqual(paintLine(9, [2.5, 2.75]).markers, []);
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

test("a spike in a gap of the dash is drawn", () => {
  const line = makeLine(4001, { dash: [5, 3] });
  // At the pixel 206, which is in a gap.
  const y = line.x.map((x) => (x === 2065 ? 4000 : 100));
  const { strokes } = paintLines([{ ...line, y, values: y }], [0, 4000]);
  const pixels = strokes.map((x) => Math.floor(x)).filter((pixel) => pixel >= 205 && pixel <= 207);
  assert.deepEqual([...new Set(pixels)], [206, 207]);
  assert.ok(pixels.filter((pixel) => pixel === 206).length === 2);
});

test("a noisy line is dashed, but for a spike beyond its noise", () => {
  const line = makeLine(4001, { dash: [5, 3] });
  // The noise takes 20 of 100 pixels in each column.
  const y = line.x.map((x) => (x === 2065 ? 4000 : 100 + 800 * (x % 2)));
  const { strokes } = paintLines([{ ...line, y, values: y }], [0, 4000]);
  const gaps = [...new Set(strokes.map((x) => Math.floor(x)))].filter((pixel) => pixel % 8 > 4);
  assert.deepEqual(gaps, [206, 207]);
});

test("dashed lines do not have their gaps at the same places", () => {
  const line = makeLine(4001, { dash: [2, 5] });
  const countPlaces = (count) => {
    const { strokes } = paintLines(
      Array.from({ length: count }, () => ({ ...line })),
      [0, 4000],
    );
    return new Set(strokes.map((x) => Math.floor(x) % 7)).size;
  };
  assert.equal(countPlaces(1), 2);
  assert.ok(countPlaces(4) >= 6);
});

test("a line of fewer than two points a pixel is drawn from point to point", () => {
  assert.equal(new Set(paintLine(430, [0, 429]).strokes).size, 429);
  assert.equal(new Set(paintLine(799, [0, 798]).strokes).size, 798);
  assert.ok(new Set(paintLine(1200, [0, 1199]).strokes).size <= 401);
});
