import assert from "node:assert/strict";
import test from "node:test";

import { isShort, listMultiples } from "../../../lens_perf/web/pages/dashboard/chart_ticks.js";

test("a range of less than half a decade is short", () => {
  assert.ok(isShort([385, 441]));
  assert.ok(isShort([0.9, 2.6]));
  assert.ok(!isShort([1.5, 10]));
});

test("multiples have no rounding errors of those before them", () => {
  assert.deepEqual(listMultiples(385, 441, 10), [390, 400, 410, 420, 430, 440]);
  assert.deepEqual(listMultiples(1, 2, 0.5), [1, 1.5, 2]);
  assert.equal(listMultiples(0.1, 100.1, 0.1)[999], 100);
});
