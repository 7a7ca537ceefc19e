import assert from "node:assert/strict";
import test from "node:test";

globalThis.document = { documentElement: { dataset: { api: "v1" } }, baseURI: "http://host/lens/" };
globalThis.sessionStorage = { getItem: () => null };
const asked = [];
globalThis.fetch = async (address, { method = "GET", body }) => {
  asked.push({ method, address: String(address), parameters: new URLSearchParams(body ?? new URL(address).search) });
  return { ok: true, json: async () => ({ workloads: [], warnings: [], total_count: 0 }) };
};

const { namesOf, readProgresses, readSummaries } = await import("../../../lens_perf/web/pages/dashboard/api_client.js");

const makeWorkloads = (count, length) =>
  Array.from({ length: count }, (_, index) => ({ cluster: "a", uid: String(index).padStart(length, "é") }));

test("no request line is longer than gunicorn accepts by default", async () => {
  const workloads = makeWorkloads(100, 80);
  asked.length = 0;
  await readProgresses(workloads);
  const [{ method, address, parameters }] = asked;
  assert.equal(method, "POST");
  assert.equal(address, "http://host/lens/v1/metrics/progress");
  assert.deepEqual([...parameters], namesOf(workloads));
});

test("a few workloads, or one with the longest uid, are named in the address", async () => {
  for (const workloads of [makeWorkloads(20, 1), makeWorkloads(1, 256)]) {
    asked.length = 0;
    await readSummaries(workloads, ["loss"]);
    assert.equal(asked.length, 1);
    assert.equal(asked[0].method, "GET");
    assert.match(asked[0].address, /&metric=loss$/);
  }
});

test("the names of metrics are part of a request line", async () => {
  const metrics = Array.from({ length: 100 }, (_, index) => `validation/perplexity_of_${index}`);
  asked.length = 0;
  await readSummaries(makeWorkloads(1, 20), metrics);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].method, "POST");
  assert.deepEqual(asked[0].parameters.getAll("metric"), metrics);
});
