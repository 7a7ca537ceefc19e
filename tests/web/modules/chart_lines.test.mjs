// The layout of lines: attempts, restarts, discarded iterations, gaps, what is not finite.
import assert from "node:assert/strict";
import { test } from "node:test";

import { clipLines } from "../../../lens_perf/web/pages/dashboard/chart_clip.js";
import {
  addTrends,
  findGaps,
  listNonFinite,
  listRestarts,
} from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
import { describeMarks, explainEmpty } from "../../../lens_perf/web/pages/dashboard/chart_notes.js";
import { findXRange } from "../../../lens_perf/web/pages/dashboard/chart_ranges.js";
import { holdSeries } from "../../../lens_perf/web/pages/dashboard/series_changes.js";
import { ATTEMPTS, HELD, VIEW, attempt, layOut, makeRun, series } from "./lines.mjs";

const hold = (fields) => holdSeries({ metric_name: "loss", data_source: "log", serial: 0, ...fields });

test("attempts together: a line each in the colour of the run, discarded iterations marked", () => {
  const lines = layOut(makeRun(ATTEMPTS), HELD);
  assert.deepEqual(
    lines.map(({ colour, kept, x, label }) => [colour, kept, x.length, label]),
    [
      ["#run", 5, 10, "run"],
      ["#run", 15, 15, "run"],
    ],
  );
});

test("attempts apart: colours of their own, and hidden ones are left out", () => {
  const apart = layOut(makeRun(ATTEMPTS, { isSplit: true }), HELD);
  assert.deepEqual(
    apart.map(({ colour, label }) => [colour, label]),
    [
      ["#1", "run · attempt 1"],
      ["#2", "run · attempt 2"],
    ],
  );
  const hidden = [{ ...ATTEMPTS[0], isVisible: false }, ATTEMPTS[1]];
  assert.deepEqual(
    layOut(makeRun(hidden, { isSplit: true }), HELD).map(({ attempt: { number } }) => number),
    [2],
  );
});

test("along a metric that falls, exactly the iterations that were redone are discarded", () => {
  const along = (first, last, serial) => {
    const held = series(first, last, { serial, time: serial * 60_000 });
    return { ...held, positions: held.iterations.map((iteration) => -iteration) };
  };
  const lines = layOut(makeRun(ATTEMPTS), [along(1, 10, 0), along(6, 20, 1)], { ...VIEW, axis: "lr" });
  assert.deepEqual(
    lines.map(({ iterations, kept }) => [iterations[0], iterations.at(-1), iterations.length, kept]),
    [
      [5, 1, 5, 5],
      [10, 6, 5, 0],
      [20, 6, 15, 15],
    ],
  );
});

test("attempts without serials are told apart by time", () => {
  const mixed = series(1, 10, { serial: null });
  const again = series(6, 20, { serial: null, time: 60_000 });
  const joined = hold({
    serial: null,
    iterations: [...mixed.iterations, ...again.iterations],
    timestamps: [...mixed.times, ...again.times],
    values: [...mixed.values, ...again.values],
  });
  const lines = layOut(makeRun(ATTEMPTS.map((each) => ({ ...each, serial: null }))), [joined]);
  assert.deepEqual(
    lines.map(({ x, kept }) => [x[0], x.length, kept]),
    [
      [1, 10, 5],
      [6, 15, 15],
    ],
  );
});

test("restarts are those that progress counts, also a clean resume", () => {
  const clean = [attempt(1, 0, 1, 10, 1000), attempt(2, 1, 11, 20, 60_000)];
  assert.deepEqual(
    listRestarts([makeRun(clean)], "iteration").map(({ at }) => at),
    [11],
  );
  assert.deepEqual(
    listRestarts([makeRun(clean)], "time").map(({ at }) => at),
    [60_000],
  );
  assert.deepEqual(
    listRestarts([makeRun(clean)], "relative_time").map(({ at }) => at),
    [59_000],
  );
  assert.deepEqual(listRestarts([makeRun(clean, { isVisible: false })], "iteration"), []);
  assert.deepEqual(
    layOut(makeRun(clean), [series(1, 10), series(11, 20, { serial: 1, time: 60_000 })]).map(
      ({ kept, x }) => kept === x.length,
    ),
    [true, true],
  );
});

test("two lines of one chart never share colour and dash", () => {
  const held = ["loss", "val"].flatMap((metric) =>
    ["log", "wandb"].flatMap((source) => [0, 1].map((serial) => series(1, 5, { metric, source, serial }))),
  );
  const attempts = [attempt(1, 0, 1, 5, 1000), attempt(2, 1, 1, 5, 9000)];
  const lines = layOut(makeRun(attempts, { isSplit: true }), held, VIEW, ["loss", "val"]);
  assert.equal(lines.length, 8);
  assert.equal(new Set(lines.map(({ colour, dash }) => JSON.stringify([colour, dash]))).size, 8);
  assert.equal(new Set(lines.map(({ label }) => label)).size, 8);
});

test("what is not finite breaks the line, is marked, and lies within the range of x", () => {
  const held = [series(1, 400, { value: (iteration) => (iteration > 350 ? "NaN" : 1) })];
  const plain = layOut(makeRun(), held);
  assert.deepEqual(findXRange(plain), [1, 400]);
  const lines = clipLines(plain, [1, 400], false);
  assert.equal(listNonFinite(lines).length, 50);
  assert.match(describeMarks({ lines, restarts: [], nonFinite: listNonFinite(lines) }, false), /50 × NaN/);
});

test("points without a position on the axis are left out, and the chart says why it is empty", () => {
  const held = [hold({ iterations: [1, 2], timestamps: [null, null], values: [1, 2] })];
  for (const axis of ["time", "relative_time"]) assert.deepEqual(layOut(makeRun(), held, { ...VIEW, axis }), []);
  const state = { axis: "time", align: null, hasRuns: true, isAnyVisible: true, isLoading: false, isZoomed: false };
  assert.match(explainEmpty(["loss"], held, state), /no times/);
  assert.match(explainEmpty(["loss"], [], state), /No data points of loss/);
  assert.match(explainEmpty(["loss"], [], { ...state, isAnyVisible: false }), /hidden/);
  assert.match(explainEmpty(["loss"], [], { ...state, isLoading: true }), /Loading/);
  assert.match(explainEmpty(["loss"], [], { ...state, isLoading: true, failure: "cannot be read" }), /cannot be read/);
  assert.match(explainEmpty(["loss"], [], { ...state, isLoading: true, warnings: [{ message: "37 % done" }] }), /37 %/);
  assert.match(explainEmpty(["loss"], held, { ...state, isZoomed: true, isOutside: true }), /loss in this range/);
  assert.match(explainEmpty(["loss"], held, { ...state, axis: "tokens" }), /both loss and tokens/);
  assert.match(explainEmpty(["loss"], [], { ...state, axis: "tokens" }), /No data points of loss/);
  assert.match(explainEmpty(["loss"], [], { ...state, axis: "tokens", lacksAxis: true }), /both loss and tokens/);
});

test("points are in the order of x", () => {
  const held = [hold({ iterations: [3, 1, 2], timestamps: [30, 10, 20], values: [3, 1, 2] })];
  assert.deepEqual([...layOut(makeRun(), held)[0].y], [1, 2, 3]);
});

test("along a metric, its values are the positions", () => {
  const held = [hold({ iterations: [1, 2], timestamps: [1, 2], values: [5, 4], axis_values: [1000, 2000] })];
  assert.deepEqual([...layOut(makeRun(), held, { ...VIEW, axis: "tokens" })[0].x], [1000, 2000]);
});

test("a pause far longer than usual is a gap", () => {
  assert.deepEqual(findGaps(Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99, 100)), [11]);
  assert.deepEqual(findGaps(Float64Array.of(1, 2)), []);
});

test("a trend is drawn beside its line, from the discarded part on as discarded", () => {
  const [line] = addTrends(layOut(makeRun(ATTEMPTS), HELD), { kind: "ema", weight: 0.5 }, 20);
  assert.deepEqual([line.trend.x.length, line.trend.kept], [10, 5]);
  assert.equal(addTrends([line], { kind: "ema", weight: 0 }, 20)[0].trend, null);
});
