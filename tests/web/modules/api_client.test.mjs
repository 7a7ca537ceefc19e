import assert from "node:assert/strict";
import test from "node:test";

globalThis.document = { documentElement: { dataset: { api: "v1" } }, baseURI: "http://host/lens/" };
globalThis.sessionStorage = { getItem: () => null };
const asked = [];
globalThis.fetch = async (address) => {
  asked.push(String(address));
  const names = new URL(address).searchParams.getAll("workload");
  return { ok: true, json: async () => ({ workloads: names, warnings: names.slice(0, 1), total_count: names.length }) };
};

const { namesOf, readProgresses, readSummaries } = await import("../../../lens_perf/web/pages/dashboard/api_client.js");

const makeWorkloads = (count, length) =>
  Array.from({ length: count }, (_, index) => ({ cluster: "a", uid: String(index).padStart(length, "é") }));

test("no request line is longer than gunicorn accepts by default", async () => {
  const workloads = makeWorkloads(100, 80);
  const answer = await readProgresses(workloads);
  assert.ok(asked.length > 1);
  assert.ok(Math.max(...asked.map((address) => address.length)) < 4000);
  assert.deepEqual(
    answer.workloads,
    namesOf(workloads).map(([, name]) => name),
  );
  assert.equal(answer.warnings.length, asked.length);
});

test("a few workloads, or one with the longest uid, are one request", async () => {
  for (const workloads of [makeWorkloads(20, 1), makeWorkloads(1, 256)]) {
    asked.length = 0;
    await readSummaries(workloads, ["loss"]);
    assert.equal(asked.length, 1);
    assert.match(asked[0], /&metric=loss$/);
  }
});

test("the names of metrics are part of a request line", async () => {
  const metrics = Array.from({ length: 70 }, (_, index) => `validation/perplexity_of_${index}`);
  asked.length = 0;
  await readSummaries(makeWorkloads(100, 20), metrics);
  assert.ok(Math.max(...asked.map((address) => address.length)) < 4000);
  assert.ok(asked.every((address) => new URL(address).searchParams.getAll("metric").length === 70));
});
