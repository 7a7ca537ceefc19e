// Which metrics are shown first, and how they are searched and grouped.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  canMove,
  chooseFirstMetrics,
  groupMetrics,
  makeFilter,
  moveChart,
  orderCharts,
  prefixOf,
} from "../../../lens_perf/web/pages/dashboard/metric_choice.js";

const choose = (...names) => chooseFirstMetrics(new Map(names.map((name) => [name, 10])));

test("loss, learning rate, gradient norm and throughput, by the names that imports write", () => {
  assert.deepEqual(
    choose(
      "lm_loss",
      "loss_scale",
      "learning_rate",
      "grad_norm",
      "tokens_per_second_per_gpu",
      "tflops",
      "elapsed_time_per_iteration_ms",
    ),
    [["lm_loss"], ["learning_rate"], ["grad_norm"], ["tokens_per_second_per_gpu"]],
  );
  assert.deepEqual(choose("lm_loss", "throughput_per_gpu_tflops", "z_loss"), [
    ["lm_loss"],
    ["throughput_per_gpu_tflops"],
  ]);
});

test("names of trackers", () => {
  assert.deepEqual(
    choose(
      "_runtime",
      "_step",
      "_timestamp",
      "train/loss",
      "train/learning_rate",
      "train/grad_norm",
      "train/epoch",
      "eval/loss",
      "eval/runtime",
    ),
    [["train/loss", "eval/loss"], ["train/learning_rate"], ["train/grad_norm"]],
  );
  assert.deepEqual(choose("train_loss", "val_loss", "lr"), [["train_loss", "val_loss"], ["lr"]]);
});

test("each run has a chart of its own loss", () => {
  const runs = [
    ["loss", "val/loss", "lr"],
    ["lm_loss", "loss_scale", "grad_norm"],
    ["lm_loss", "lr"],
    ["train/loss", "eval/loss", "lr"],
    ["accuracy"],
  ];
  const counts = new Map(runs.flat().map((name) => [name, name === "loss" ? 10 : null]));
  assert.deepEqual(chooseFirstMetrics(counts, runs), [
    ["loss", "val/loss"],
    ["lm_loss"],
    ["train/loss", "eval/loss"],
    ["lr"],
    ["grad_norm"],
  ]);
  // A loss that has always been NaN has no finite values to count.
  counts.set("lm_loss", 0);
  assert.deepEqual(chooseFirstMetrics(counts, runs)[1], ["lm_loss"]);
  const many = Array.from({ length: 100 }, (_, index) => [`loss_of_${index}`]);
  assert.equal(chooseFirstMetrics(new Map(many.map(([name]) => [name, 1])), many).length, 6);
});

test("never what a tracker keeps for itself, never what has no points", () => {
  assert.deepEqual(choose("_runtime", "_loss"), []);
  assert.deepEqual(
    chooseFirstMetrics(
      new Map([
        ["loss", 0],
        ["accuracy", 3],
        ["_runtime", 9],
        ["bleu", null],
      ]),
    ),
    [["accuracy"], ["bleu"]],
  );
});

test("neither the scale of a loss nor its duration is a loss", () => {
  assert.deepEqual(choose("loss_scale", "loss_time_ms", "accuracy"), [["accuracy"], ["loss_scale"]]);
});

test("a search by words, in any order and case", () => {
  const names = ["train/loss", "val/loss", "train/lr"];
  assert.deepEqual(names.filter(makeFilter("LOSS train")), ["train/loss"]);
  assert.deepEqual(names.filter(makeFilter("  ")), names);
});

test("a search by regular expression, also one that is not closed yet", () => {
  const names = ["layer.1.norm", "layer.12.norm", "loss"];
  assert.deepEqual(names.filter(makeFilter("/layer\\.\\d\\./")), ["layer.1.norm"]);
  assert.deepEqual(names.filter(makeFilter("/^LOSS")), ["loss"]);
  assert.throws(() => makeFilter("/(/"), SyntaxError);
});

test("groups by prefix, in order of numbers; what has none and what is internal come last", () => {
  assert.deepEqual(groupMetrics(["val/b", "loss", "_runtime", "train/a10", "train/a2", "gpu.0.temp", "/odd"]), [
    { group: "gpu", names: ["gpu.0.temp"] },
    { group: "train", names: ["train/a2", "train/a10"] },
    { group: "val", names: ["val/b"] },
    { group: "Other", names: ["/odd", "loss"] },
    { group: "Internal", names: ["_runtime"] },
  ]);
});

test("order: charts move by one, and pins come first in their own order", () => {
  const charts = [["a"], ["b", "c"], ["d"]];
  assert.deepEqual(moveChart(charts, 0, 1), [["b", "c"], ["a"], ["d"]]);
  assert.equal(moveChart(charts, 0, -1), charts);
  assert.deepEqual(orderCharts(charts, ["d", "c"]), [["d"], ["b", "c"], ["a"]]);
});

test("a chart moves among those that are pinned alike", () => {
  const charts = orderCharts([["a"], ["b", "c"], ["d"], ["e"]], ["d", "c"]);
  const list = (pins) => charts.map((_, index) => [-1, 1].map((by) => canMove(charts, pins, index, by)));
  const [first, middle, last, alone] = [
    [false, true],
    [true, true],
    [true, false],
    [false, false],
  ];
  assert.deepEqual(list([]), [first, middle, middle, last]);
  assert.deepEqual(list(["d", "c"]), [alone, alone, first, last]);
});

test("two thousand names are grouped and filtered quickly", () => {
  const names = Array.from({ length: 2000 }, (_, index) => `layer${index % 50}/weight${index}`);
  const began = performance.now();
  for (let round = 0; round < 10; round += 1) groupMetrics(names.filter(makeFilter("weight1")));
  assert.ok(performance.now() - began < 5000);
});

test("a group has the prefix of its names", () => {
  assert.equal(prefixOf("evaluation/average_reward", "evaluation"), "evaluation/");
  assert.equal(prefixOf("a.b/c.d", "a.b"), "a.b/");
  assert.equal(prefixOf("timers.forward", "timers"), "timers.");
  assert.equal(prefixOf("loss", "Other"), "");
  assert.equal(prefixOf("_runtime", "Internal"), "");
  assert.equal(prefixOf("train/", "train"), "");
});
