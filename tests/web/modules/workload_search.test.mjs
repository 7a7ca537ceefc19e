import assert from "node:assert/strict";
import test from "node:test";

import { parseSearch, sortWorkloads } from "../../../lens_perf/web/pages/dashboard/workload_search.js";

const UIDS = ["llama3-8b-lr-1e-4", "llama3-70b-lr-1e-4", "qwen-8b", "a.b"];
const find = (typed) => UIDS.filter((uid) => parseSearch(typed).matches(uid));

test("all words have to be in the name, in any order and case", () => {
  assert.deepEqual(find("8B llama"), ["llama3-8b-lr-1e-4"]);
  assert.deepEqual(find(""), UIDS);
  assert.deepEqual(find("a.b"), ["a.b"]);
});

test("an expression between slashes, closed or not", () => {
  assert.deepEqual(find("/^llama3-(8|70)b/"), UIDS.slice(0, 2));
  assert.deepEqual(find("/8b$"), ["qwen-8b"]);
  assert.deepEqual(find("/(/"), []);
  assert.match(parseSearch("/(/").error, /Not a regular expression/);
});

test("the service is asked for a part that all matches have", () => {
  for (const typed of ["8b llama", "qwen", "  ", "/8b$"]) {
    const { text } = parseSearch(typed);
    for (const uid of find(typed)) assert.ok(uid.includes(text), `${typed}: ${text}`);
  }
  assert.equal(parseSearch("qwen").isPlain, true);
  assert.equal(parseSearch("qwen 8b").isPlain, false);
});

test("orders", () => {
  const listed = [
    { workload_uid: "b", last_timestamp: 5, first_timestamp: 1, last_iteration: null, state: "ended" },
    { workload_uid: "A", last_timestamp: 9, first_timestamp: 2, last_iteration: 3, state: null },
    { workload_uid: "c", last_timestamp: null, first_timestamp: null, last_iteration: 7, state: "running" },
  ];
  const order = (name) =>
    sortWorkloads(listed, name)
      .map(({ workload_uid: uid }) => uid)
      .join("");
  assert.deepEqual(["active", "name", "started", "iteration", "state"].map(order), ["Abc", "Abc", "Abc", "cAb", "cbA"]);
});
