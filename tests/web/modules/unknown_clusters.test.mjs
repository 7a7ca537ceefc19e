import assert from "node:assert/strict";
import test from "node:test";

import { UnknownClusters } from "../../../lens_perf/web/pages/dashboard/unknown_clusters.js";

const workloads = ["alpha", "gamma", "gamma", "delta"].map((cluster, index) => ({ cluster, uid: String(index) }));
const listClusters = async () => ({ clusters: [{ name: "alpha" }, { name: "beta" }] });
const answer = { workloads: ["an answer"], warnings: [{ message: "away" }] };

/** A service that knows alpha and beta; `asked` are the clusters of each request. */
function makeService() {
  const asked = [];
  const send = async (given) => {
    const clusters = given.map(({ cluster }) => cluster);
    asked.push(clusters);
    if (clusters.some((name) => name !== "alpha")) throw Object.assign(new Error("refused"), { status: 400 });
    return answer;
  };
  return { asked, send };
}

test("workloads of unknown clusters become warnings, and are not asked about again", async () => {
  const unknown = new UnknownClusters(listClusters);
  const { asked, send } = makeService();
  for (const requests of [2, 3]) {
    const found = await unknown.ask(workloads, send);
    assert.deepEqual(found.workloads, answer.workloads);
    assert.deepEqual(found.warnings.slice(0, 1), answer.warnings);
    assert.deepEqual(
      found.warnings.slice(1).map(({ cluster, workload_uid: uid, message }) => [cluster, uid, message]),
      [
        ["gamma", "1", "Unknown cluster gamma; expected one of alpha, beta."],
        ["gamma", "2", "Unknown cluster gamma; expected one of alpha, beta."],
        ["delta", "3", "Unknown cluster delta; expected one of alpha, beta."],
      ],
    );
    assert.equal(asked.length, requests);
  }
  assert.deepEqual(asked.at(-1), ["alpha"]);
});

test("if all clusters are unknown, nothing else is asked", async () => {
  const unknown = new UnknownClusters(listClusters);
  const { asked, send } = makeService();
  const found = await unknown.ask(workloads.slice(1), send);
  assert.deepEqual([found.workloads, found.series, found.warnings.length, asked.length], [[], [], 3, 1]);
});

test("other errors remain", async () => {
  const { send } = makeService();
  const refuse = (status) => async () => {
    throw Object.assign(new Error("refused"), { status });
  };
  const listNothing = async () => Promise.reject(new Error("away"));
  await assert.rejects(new UnknownClusters(listClusters).ask(workloads, refuse(503)), { status: 503 });
  await assert.rejects(new UnknownClusters(listClusters).ask(workloads.slice(0, 1), refuse(400)), { status: 400 });
  await assert.rejects(new UnknownClusters(listNothing).ask(workloads, send), { status: 400 });
});
