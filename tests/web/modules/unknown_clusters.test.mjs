import assert from "node:assert/strict";
import test from "node:test";

import { explainRefusal } from "../../../lens_perf/web/pages/dashboard/unknown_clusters.js";

const workloads = ["alpha", "gamma", "gamma", "delta"].map((cluster) => ({ cluster, uid: "x" }));
const listClusters = async () => ({ clusters: [{ name: "alpha" }, { name: "beta" }] });
const refusal = { status: 400, message: "Unknown cluster" };

test("unknown clusters are named, with the known ones", async () => {
  assert.equal(
    await explainRefusal(refusal, workloads, { listClusters }),
    "Unknown cluster gamma, delta; expected one of alpha, beta.",
  );
});

test("other errors keep their message", async () => {
  const away = { status: 503, message: "away" };
  assert.equal(await explainRefusal(away, workloads, { listClusters }), "away");
  assert.equal(await explainRefusal(refusal, workloads.slice(0, 1), { listClusters }), "Unknown cluster");
  const listNothing = async () => Promise.reject(new Error("away"));
  assert.equal(await explainRefusal(refusal, workloads, { listClusters: listNothing }), "Unknown cluster");
});
