// Which charts are drawn in which frame.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DrawQueue } from "../../../lens_perf/web/pages/dashboard/draw_queue.js";

/** A queue whose frames are run by hand, and charts that note when they are drawn. */
function setUp() {
  const frames = [];
  const drawn = [];
  const counts = { emptied: 0 };
  const queue = new DrawQueue(
    () => (counts.emptied += 1),
    (draw) => frames.push(draw),
  );
  const makeChart = (name, isNext = 0) => ({ isNext, draw: () => drawn.push(name) });
  return { queue, drawn, frames, counts, makeChart, runFrame: () => frames.shift()() };
}

test("each chart has a frame, the one in use the first", () => {
  const { queue, drawn, frames, counts, makeChart, runFrame } = setUp();
  queue.add(makeChart("far", 0));
  queue.add(makeChart("near", 1));
  queue.add(makeChart("used", 2));
  assert.equal(frames.length, 1);
  runFrame();
  assert.deepEqual(drawn, ["used"]);
  assert.equal(counts.emptied, 0);
  runFrame();
  runFrame();
  assert.deepEqual(drawn, ["used", "near", "far"]);
  assert.deepEqual([frames.length, queue.isEmpty, counts.emptied], [0, true, 1]);
});

test("a chart that is added twice is drawn once, one that is removed not at all", () => {
  const { queue, drawn, frames, counts, makeChart, runFrame } = setUp();
  const [kept, removed] = [makeChart("kept"), makeChart("removed")];
  for (const chart of [kept, removed, kept]) queue.add(chart);
  queue.remove(removed);
  runFrame();
  assert.deepEqual(drawn, ["kept"]);
  assert.deepEqual([frames.length, counts.emptied], [0, 1]);
});

test("the only chart is removed before its frame", () => {
  const { queue, drawn, counts, makeChart, runFrame } = setUp();
  const chart = makeChart("only");
  queue.add(chart);
  queue.remove(chart);
  runFrame();
  assert.deepEqual([drawn, counts.emptied], [[], 1]);
});

test("a chart that cannot be drawn does not keep the others from it", () => {
  const { queue, drawn, makeChart, runFrame } = setUp();
  const fail = () => {
    throw new Error("cannot be drawn");
  };
  queue.add({ isNext: 1, draw: fail });
  queue.add(makeChart("other"));
  assert.throws(runFrame, /cannot be drawn/);
  runFrame();
  assert.deepEqual(drawn, ["other"]);
});
