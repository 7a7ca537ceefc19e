// How names are cut for pictures.
import assert from "node:assert/strict";
import { test } from "node:test";

import { cutName } from "../../../lens_perf/web/pages/dashboard/names.js";

const cut = (name, room, suffix = "") => cutName(name, { suffix, room, measure: (text) => [...text].length });

test("a name that has room is whole", () => {
  assert.equal(cut("sweep-lr-0.01", 13), "sweep-lr-0.01");
  assert.equal(cut("run", 10, " · loss"), "run · loss");
});

test("a long name is cut in the middle, its end last", () => {
  const name = "sweep-gpt2-medium-bs512-lr-0.0003-seed-1";
  assert.equal(cut(name, 30), "sweep-gpt2-…2-lr-0.0003-seed-1");
  assert.equal(cut(name, 7), "…seed-1");
  assert.equal(cut(name, 14, " · loss"), "…seed-1 · loss");
  assert.equal(cut(name, 0), "…");
});
