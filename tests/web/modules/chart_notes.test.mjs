// What a chart says of its runs to those who do not see it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { alignAtRestarts } from "../../../lens_perf/web/pages/dashboard/chart_alignment.js";
import { layOutLines } from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
import { describeChart } from "../../../lens_perf/web/pages/dashboard/chart_notes.js";
import { ATTEMPTS, HELD, VIEW, attempt, layOut, makeRun, series } from "./lines.mjs";

const KEYS = "Arrow keys move the cursor.";

test("a run of several attempts is described once, by its last value", () => {
  const text = `loss along iteration: run, last 30 at 20. ${KEYS}`;
  for (const isSplit of [false, true])
    assert.equal(describeChart(["loss"], layOut(makeRun(ATTEMPTS, { isSplit }), HELD), "iteration"), text);
});

test("each run, metric and data source has its last value", () => {
  const runs = ["one", "two"].map((name) => makeRun(ATTEMPTS, { key: `a/${name}`, uid: name, name }));
  const held = [
    ...HELD,
    series(1, 5, { metric: "lr", value: () => 0.5 }),
    series(1, 8, { metric: "lr", value: () => 0.25, source: "wandb" }),
  ];
  const seriesOf = (_key, metric) => held.filter((each) => each.metric === metric);
  const lines = layOutLines(["loss", "lr"], runs, seriesOf, VIEW);
  const describe = (name) => [
    `${name} · loss, last 30 at 20`,
    `${name} · lr · log, last 0.5 at 5`,
    `${name} · lr · wandb, last 0.25 at 5`,
  ];
  const text = [...describe("one"), ...describe("two")].join("; ");
  assert.equal(describeChart(["loss", "lr"], lines, "iteration"), `loss, lr along iteration: ${text}. ${KEYS}`);
});

test("of a run whose last attempt has no points, discarded points are not the last ones", () => {
  const run = makeRun(ATTEMPTS);
  assert.match(describeChart(["loss"], layOut(run, HELD.slice(0, 1)), "iteration"), /: run, last 95 at 5\./);
  const discarded = makeRun([attempt(1, 0, 1, 10, 1000, 1), attempt(2, 1, 1, 20, 60_000)]);
  assert.match(describeChart(["loss"], layOut(discarded, HELD.slice(0, 1)), "iteration"), /: run, last 90 at 10\./);
});

test("along a metric that falls, the last value is that of the last iteration", () => {
  const positions = { positions: Float64Array.from({ length: 10 }, (_, index) => 1 - index / 20) };
  const lines = layOut(makeRun(), [{ ...series(1, 10), ...positions }], { ...VIEW, axis: "lr_of_all" });
  assert.equal(describeChart(["loss"], lines, "lr_of_all"), `loss along lr_of_all: run, last 90 at 0.55. ${KEYS}`);
});

test("aligned at the restart, the last value is one that was redone", () => {
  const plain = layOut(makeRun(ATTEMPTS, { isSplit: true }), HELD, { ...VIEW, axis: "time" });
  const lines = alignAtRestarts(plain, () => ATTEMPTS);
  assert.equal(
    describeChart(["loss"], lines, "relative_time"),
    `loss along relative time: run, last 39 at 5 s. ${KEYS}`,
  );
  assert.equal(describeChart(["loss"], [], "time"), `loss along time: no points. ${KEYS}`);
});
