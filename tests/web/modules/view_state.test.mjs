import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS, formatView, parseView } from "../../../lens_perf/web/pages/dashboard/view_state.js";

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
    yScale: { log: true, range: [-0.5, 2.25], ignoreOutliers: true },
    smoothing: { kind: "gaussian", weight: 0.9 },
    align: "restart",
    layout: { columns: 2, height: 300 },
    collapsed: ["train"],
    table: { sort: "-last:train/loss", isCollapsed: true },
    embed: true,
  };
  assert.deepEqual(parseView(formatView(view)), view);
});

test("what is malformed is left at its default", () => {
  const view = parseView(
    "w=nothing&range=5..x&y=3..3&smooth=7&smoother=magic&columns=99&height=-1&attempts=1&range2=1&with=alone",
  );
  assert.deepEqual(view, { ...DEFAULTS, smoothing: { kind: "ema", weight: 0.999 } });
});
