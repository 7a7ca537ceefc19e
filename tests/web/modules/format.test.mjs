import assert from "node:assert/strict";
import test from "node:test";

import { age, moment, number, span } from "../../../lens_perf/web/pages/dashboard/format.js";

test("thousands are grouped", () => {
  assert.deepEqual([189_400, 189_412.7, 1234.5, 0.25, 999_999.5, 3e-7, null].map(number), [
    "189,400",
    "189,400",
    "1,235",
    "0.25",
    "1,000,000",
    "3.000e-7",
    "–",
  ]);
  assert.equal(span(1200 * 86_400), "1,200 d");
  assert.equal(age(Date.now() - 1200 * 86_400_000), "1,200 d ago");
});

test("moments: 24 hours, and the date unless it is today", () => {
  assert.equal(moment(new Date(2023, 0, 5, 21, 7).getTime()), "2023-01-05 21:07");
  assert.match(moment(Date.now()), /^[0-2]\d:[0-5]\d$/);
  assert.match(moment(9e15), /ms since 1970$/);
});
