import assert from "node:assert/strict";
import test from "node:test";

globalThis.document = { documentElement: { dataset: { api: "v1" } }, baseURI: "http://host/lens/" };
globalThis.sessionStorage = { getItem: () => null };
const asked = [];
globalThis.fetch = async (address, { method = "GET", body }) => {
  asked.push({ method, address: String(address), parameters: new URLSearchParams(body ?? new URL(address).search) });
  return { ok: true, json: async () => ({ workloads: [], warnings: [], total_count: 0 }) };
};

const { LONGEST_QUERY, ask, namesOf, readProgresses, readSummaries } =
  await import("../../../lens_perf/web/pages/dashboard/api_client.js");

const makeWorkloads = (count, length) =>
  Array.from({ length: count }, (_, index) => ({ cluster: "a", uid: String(index).padStart(length, "é") }));

test("many workloads are sent as a form", async () => {
  const workloads = makeWorkloads(100, 80);
  asked.length = 0;
  await readProgresses(workloads);
  assert.equal(asked.length, 1);
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

test("the longest query in an address is shorter than gunicorn's limit by default", async () => {
  asked.length = 0;
  await ask("metrics/data", [["metric", "m".repeat(LONGEST_QUERY - "metric=".length)]]);
  await ask("metrics/data", [["metric", "m".repeat(LONGEST_QUERY - "metric=".length + 1)]]);
  assert.deepEqual(
    asked.map(({ method }) => method),
    ["GET", "POST"],
  );
  const { pathname, search } = new URL(asked[0].address);
  assert.equal(search.length, LONGEST_QUERY + 1);
  assert.ok(`GET ${pathname}${search} HTTP/1.1`.length <= 4094);
});

test("many metrics are sent as a form", async () => {
  const metrics = Array.from({ length: 100 }, (_, index) => `validation/perplexity_of_${index}`);
  asked.length = 0;
  await readSummaries(makeWorkloads(1, 20), metrics);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].method, "POST");
  assert.deepEqual(asked[0].parameters.getAll("metric"), metrics);
});
