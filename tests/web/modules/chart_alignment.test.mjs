// What an attempt redid beside what was discarded for it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { alignAtRestarts } from "../../../lens_perf/web/pages/dashboard/chart_alignment.js";
import { ATTEMPTS, HELD, VIEW, attempt, layOut, makeRun, series } from "./lines.mjs";

test("aligned at the restart: what was redone beside what was discarded, both from 0 on", () => {
  const lines = layOut(makeRun(ATTEMPTS, { isSplit: true }), HELD);
  const [redone, discarded] = alignAtRestarts(lines, () => ATTEMPTS);
  assert.deepEqual([...discarded.x], [0, 1, 2, 3, 4]);
  assert.deepEqual([...discarded.y], [94, 93, 92, 91, 90]);
  assert.equal(discarded.kept, 0);
  assert.deepEqual([...redone.x], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...redone.y], [44, 43, 42, 41, 40, 39]);
  assert.equal(redone.kept, redone.x.length);
});

test("aligned along time, both begin at 0 too", () => {
  const lines = layOut(makeRun(ATTEMPTS, { isSplit: true }), HELD, { ...VIEW, axis: "time" });
  const [redone, discarded] = alignAtRestarts(lines, () => ATTEMPTS);
  assert.deepEqual([...discarded.x], [0, 1000, 2000, 3000, 4000]);
  assert.deepEqual([...redone.x].slice(0, 5), [0, 1000, 2000, 3000, 4000]);
});

test("a clean resume has nothing to align", () => {
  const attempts = [attempt(1, 0, 1, 10, 1000), attempt(2, 1, 11, 20, 60_000)];
  const lines = layOut(makeRun(attempts, { isSplit: true }), [
    series(1, 10),
    series(11, 20, { serial: 1, time: 60_000 }),
  ]);
  assert.deepEqual(
    alignAtRestarts(lines, () => attempts),
    [],
  );
});
