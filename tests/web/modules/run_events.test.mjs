import assert from "node:assert/strict";
import test from "node:test";

import { findEvents, nameTab, sumUp } from "../../../lens_perf/web/pages/dashboard/run_events.js";

const run = (name, state, notFinite = [], share = null) => ({
  key: `c/${name}`,
  name,
  state,
  progress: state && { share_done: share, non_finite: notFinite.map((metric) => ({ metric_name: metric })) },
});
const texts = (before, after) => findEvents(before, after).map(({ text, isNews }) => [text, isNews]);

test("changes of state and metrics that are not finite any more are events", () => {
  assert.deepEqual(texts([run("a", "running")], [run("a", "stalled")]), [["a has stalled", true]]);
  assert.deepEqual(texts([run("a", "stalled")], [run("a", "running")]), [["a is running again", false]]);
  assert.deepEqual(texts([run("a", "running")], [run("a", "running", ["loss"])]), [["a: loss not finite", true]]);
  assert.deepEqual(texts([run("a", "running", ["loss"])], [run("a", "ended", ["loss"])]), [["a has ended", true]]);
  const many = ["a", "b", "c", "d", "e"];
  assert.deepEqual(texts([run("a", "running")], [run("a", "running", many)]), [
    ["a: a, b, c and 2 more metrics not finite", true],
  ]);
});

test("what is read for the first time is no event", () => {
  assert.deepEqual(texts([], [run("a", "stalled")]), []);
  assert.deepEqual(texts([run("a", null)], [run("a", "stalled")]), []);
  assert.deepEqual(texts([run("a", "running")], [run("a", null)]), []);
});

test("the title of the tab", () => {
  assert.equal(nameTab([], "Page"), "Page");
  assert.equal(nameTab([run("a", "running", [], 0.159)], "Page"), "Running 15 % · a · Page");
  assert.equal(nameTab([run("a", "ended", ["loss"])], "Page"), "⚠ Ended · a · Page");
  assert.equal(nameTab([run("a", null)], "Page"), "a · Page");
  assert.equal(
    nameTab([run("a", "running"), run("b", "stalled"), run("c", "running")], "Page"),
    "1 stalled, 2 running · Page",
  );
  assert.equal(nameTab([run("a", null), run("b", null)], "Page"), "2 runs · Page");
  const old = { ...run("a", "running"), asOf: 1 };
  assert.equal(nameTab([old], "Page"), "Not up to date · a · Page");
  assert.equal(nameTab([old, run("b", "running")], "Page"), "1 running, 1 not up to date · Page");
});

test("the icon shows the gravest state, else the liveliest", () => {
  assert.equal(sumUp([]), null);
  assert.equal(sumUp([run("a", "ended"), run("b", "running")]), "running");
  assert.equal(sumUp([run("a", "stalled"), run("b", "running")]), "stalled");
  assert.equal(sumUp([run("a", "ended", ["loss"]), run("b", "stalled")]), "trouble");
  assert.equal(sumUp([{ ...run("a", "running"), asOf: 1 }]), null);
});
