import assert from "node:assert/strict";
import test from "node:test";

import {
  DEFAULTS,
  formatView,
  parseView,
  rangeOf,
  scaleOf,
  selectWorkloads,
} from "../../../lens_perf/web/pages/dashboard/view_state.js";

test("an empty address is the default view, and the default view an empty address", () => {
  assert.deepEqual(parseView(""), DEFAULTS);
  assert.equal(formatView(DEFAULTS), "");
});

test("a view survives its address", () => {
  const view = {
    workloads: [
      { cluster: "alpha", uid: "a//b %2F?#&=+" },
      { cluster: "beta", uid: "损失" },
    ],
    hidden: ["beta/损失"],
    attempts: { "alpha/a//b %2F?#&=+": [1, 3], "beta/损失": [] },
    metrics: [["train/loss", "val/loss"], ["lr"], ["a,b&c"]],
    pins: ["lr"],
    axis: "relative_time",
    xRange: [10, 20],
    yZooms: { "train/loss, val/loss": [0.25, 0.3], "a,b&c": [-2e-9, 1e-9], "x@y": [0, 1] },
    yScale: { log: true, range: [-0.5, 2.25], ignoreOutliers: true },
    yLogs: { "train/loss, val/loss": false, "x@y": true },
    yRanges: { lr: [0, 0.125], "x@y": [-1e-9, null], loss: [null, 0] },
    smoothing: { kind: "gaussian", weight: 0.9 },
    align: "restart",
    layout: { columns: 2, height: 300 },
    collapsed: ["train"],
    table: { sort: "-last:train/loss", isCollapsed: true, progress: ["state", "eta"], values: ["last", "greatest"] },
    embed: true,
  };
  assert.deepEqual(parseView(formatView(view)), view);
});

test("what is malformed is left at its default", () => {
  const view = parseView(
    "w=nothing&range=5..x&y=3..3&smooth=7&smoother=magic&columns=99&height=-1&attempts=1&range2=1&with=alone" +
      "&zoom=1..2&zoom=2..1@loss&log=2&log=yes@loss&y=1@loss&progress=speed&values=" +
      "&y=..&y=..@lr&y=2..1@acc&y=..x@acc&zoom=5..@loss",
  );
  assert.deepEqual(view, {
    ...DEFAULTS,
    smoothing: { kind: "ema", weight: 0.999 },
    table: { ...DEFAULTS.table, values: [] },
  });
});

test("the columns of the run table are a list in their order, without unknown ones", () => {
  const { table } = parseView("progress=pace,speed,state&values=mean,greatest");
  assert.deepEqual([table.progress, table.values], [["state", "pace"], ["greatest"]]);
  assert.deepEqual(parseView("progress=&values=mean").table, { ...DEFAULTS.table, progress: [] });
  assert.equal(
    formatView({ ...DEFAULTS, table: { ...DEFAULTS.table, progress: [], values: [] } }),
    "progress=&values=",
  );
});

test("a link that sorts by a value shows it, as before columns could be chosen", () => {
  const list = (text) => parseView(text).table.values.join();
  assert.deepEqual(["sort=-least:loss", "sort=greatest:a:b", "sort=last:loss", "sort=last"].map(list), [
    "last,least",
    "last,greatest",
    "last",
    "last",
  ]);
  assert.equal(list("sort=-least:loss&values=greatest"), "greatest");
});

test("a chart has its own scale, else that of all charts", () => {
  const view = parseView("log=0@lr&log=1&y=0..9&y=1..2@loss&zoom=1.2..1.3@loss&y=3..4@acc");
  assert.deepEqual(view.yScale, { log: true, range: [0, 9], ignoreOutliers: false });
  const scales = ["lr", "loss", "acc", "constructor"].map((title) => scaleOf(view, title));
  assert.deepEqual(
    scales.map(({ log, range }) => [log, range]),
    [
      [false, [0, 9]],
      [true, [1.2, 1.3]],
      [true, [3, 4]],
      [true, [0, 9]],
    ],
  );
});

test("the end of y that a chart does not fix is that of all charts, unless it is on the other side", () => {
  const list = (text) => ["loss", "lr"].map((title) => rangeOf(parseView(text), title));
  const [open, ...others] = ["y=2..@loss", "y=2..@loss&y=0..4", "y=2..@loss&y=..2", "y=..9&y=1..2@loss"].map(list);
  assert.deepEqual(open, [[2, null], null]);
  assert.deepEqual(others, [
    [
      [2, 4],
      [0, 4],
    ],
    [
      [2, null],
      [null, 2],
    ],
    [
      [1, 2],
      [null, 9],
    ],
  ]);
});

test("the ends of a zoomed y axis have as many digits as a pointer can choose", () => {
  const text = (ends) => formatView({ ...DEFAULTS, yZooms: { loss: ends } });
  assert.equal(text([2.123456789, 3.987654321]), "zoom=2.1235..3.9877%40loss");
  assert.equal(text([1.00000012345, 1.00000067891]), "zoom=1.00000012345..1.00000067891%40loss");
  assert.equal(text([123456, 923456]), "zoom=123460..923460%40loss");
});

test("the ends of a zoomed x axis stay apart, however near they are", () => {
  const ranges = [
    ["iteration", [1010.8, 1011.3], [1010, 1012]],
    ["iteration", [1011.2, 1011.4], [1011, 1012]],
    ["iteration", [20, 29], [20, 29]],
    ["time", [1700000000000.2, 1700000000000.4], [1700000000000, 1700000000001]],
    ["tokens", [12_000_000_123.4, 12_000_000_987.6], [12_000_000_123.4, 12_000_000_987.6]],
    ["loss", [2.123456789, 3.987654321], [2.1235, 3.9877]],
  ];
  for (const [axis, xRange, rounded] of ranges)
    assert.deepEqual(parseView(formatView({ ...DEFAULTS, axis, xRange })).xRange, rounded);
});

test("the range of x is kept while runs are added and removed, until there are none", () => {
  const [one, other] = ["one", "other"].map((uid) => ({ cluster: "alpha", uid }));
  const view = { ...DEFAULTS, workloads: [one], xRange: [5, 9], yZooms: { loss: [0, 1] } };
  assert.deepEqual(selectWorkloads(view, [one, other], true), { workloads: [one, other], xRange: [5, 9], yZooms: {} });
  assert.deepEqual(selectWorkloads(view, [one], false), { workloads: [], xRange: null, yZooms: {} });
});
