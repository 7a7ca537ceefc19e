import assert from "node:assert/strict";
import test from "node:test";

import { WorkloadSource } from "../../../lens_perf/web/pages/dashboard/workload_source.js";
import { WorkloadStates } from "../../../lens_perf/web/pages/dashboard/workload_states.js";

const ALL = Array.from({ length: 70 }, (_, index) => ({
  cluster: "c",
  workload_uid: `${index % 2 ? "odd" : "even"}-${index}`,
  records: index === 69 ? 400_000 : 5,
  first_timestamp: 0,
  last_timestamp: 1000 - index,
  last_iteration: index,
}));

function makeClient() {
  const requests = [];
  const states = [];
  const targets = [];
  return {
    requests,
    states,
    targets,
    readTargets: async (asked) => {
      targets.push(asked.map(({ cluster, uid }) => `${cluster}/${uid}`));
      return new Map(asked.map(({ cluster, uid }) => [`${cluster}/${uid}`, 100]));
    },
    listWorkloads: async (search, _cluster, size, token) => {
      requests.push([search, size, token]);
      const found = ALL.filter(({ workload_uid: uid }) => uid.includes(search));
      const start = Number(token ?? 0);
      const next = start + size < found.length ? String(start + size) : null;
      return {
        workloads: found.slice(start, start + size),
        total_count: found.length,
        next_page_token: next,
        warnings: [],
      };
    },
    readProgresses: async (asked) => {
      states.push(asked.length);
      return {
        workloads: asked.map(({ cluster, uid }) => ({
          cluster,
          workload_uid: uid,
          state: uid === "even-0" ? "running" : "ended",
          last_timestamp: 1000 - Number(uid.split("-")[1]),
        })),
      };
    },
  };
}

const query = (typed, order = "active") => ({ typed, cluster: "", order });

test("one word is searched by the service, page by page", async () => {
  const client = makeClient();
  const source = new WorkloadSource(client, new WorkloadStates(client));
  await source.load(query("odd"));
  assert.deepEqual([source.shown.length, source.total, source.hasMore], [30, 35, true]);
  await source.more();
  assert.deepEqual([source.shown.length, source.hasMore], [35, false]);
  assert.deepEqual(client.requests, [
    ["odd", 30, null],
    ["odd", 30, "30"],
  ]);
  await source.load(query("odd"), undefined, { keep: true });
  assert.equal(source.shown.length, 35);
});

test("an expression and another order are applied to all workloads", async () => {
  const client = makeClient();
  const source = new WorkloadSource(client, new WorkloadStates(client));
  await source.load(query("/^odd-[1-3]$/"));
  assert.deepEqual(
    source.shown.map(({ workload_uid: uid }) => uid),
    ["odd-1", "odd-3"],
  );
  assert.equal(source.total, 2);
  await source.load(query("", "iteration"));
  assert.equal(source.shown[0].workload_uid, "odd-69");
  assert.deepEqual([source.shown.length, source.total, source.hasMore], [30, 70, true]);
  assert.equal((await source.listMatching()).length, 70);
});

test("all that match are found, although one page is shown", async () => {
  const client = makeClient();
  const source = new WorkloadSource(client, new WorkloadStates(client));
  await source.load(query("even"));
  assert.equal((await source.listMatching()).length, 35);
});

test("states are read in batches, once for what is over", async () => {
  const client = makeClient();
  const states = new WorkloadStates(client);
  const signal = { aborted: false };
  await states.load(ALL, signal, () => {});
  assert.deepEqual(client.states, [10, 10, 10, 10, 10, 10, 9]);
  assert.equal(states.stateOf("c/even-0"), "running");
  await states.load(ALL, signal, () => {});
  assert.deepEqual(client.states.slice(7), [1]);
  await states.load([{ ...ALL[1], last_timestamp: 5000 }], signal, () => {});
  assert.deepEqual(client.states.slice(8), [1]);
});

test("the states of long workloads are estimated, and replaced by those of runs", async () => {
  const client = makeClient();
  const states = new WorkloadStates(client);
  const signal = { aborted: false };
  const [now, key] = [Date.now(), "c/long"];
  const long = { cluster: "c", workload_uid: "long", records: 400_000, last_iteration: 50 };
  const listed = { ...long, first_timestamp: now - 400_000_000, last_timestamp: now };
  const load = (each) => states.load([each], signal, () => {});
  await load(listed);
  assert.deepEqual([states.stateOf(key), states.isEstimate(key)], ["running", true]);
  await load({ ...listed, last_iteration: 100 });
  assert.deepEqual([states.stateOf(key), client.targets], ["finished", [["c/long"]]]);
  await load({ ...listed, last_iteration: 101, last_timestamp: now + 1 });
  assert.equal(client.targets.length, 2);
  states.take([{ key, state: "stalled", progress: { last_timestamp: now } }]);
  await load(listed);
  assert.deepEqual([states.stateOf(key), states.isEstimate(key)], ["stalled", false]);
  states.take([]);
  await load(listed);
  assert.deepEqual([states.stateOf(key), states.isEstimate(key)], ["running", true]);
  assert.deepEqual(client.states, []);
});

test("the workloads of a cluster that does not answer are kept, and marked", async () => {
  const answers = {};
  const source = new WorkloadSource({ listWorkloads: async () => answers.next }, { stateOf: () => null });
  const answer = (workloads, silent = []) => {
    const warnings = silent.map((cluster) => ({ cluster, message: `Cluster ${cluster} cannot be reached` }));
    answers.next = { workloads, total_count: workloads.length, next_page_token: null, warnings };
  };
  const [a, b] = ["a", "b"].map((cluster, index) => ({
    cluster,
    workload_uid: `run-${index}`,
    last_timestamp: 9 - index,
  }));
  const shown = () => source.shown.map(({ cluster, isOld = false }) => `${cluster}${isOld ? " old" : ""}`);
  for (const order of ["active", "name"]) {
    answer([a, b]);
    await source.load(query("", order));
    assert.deepEqual([shown(), source.total, source.isPartial], [["a", "b"], 2, false]);
    answer([b], ["a"]);
    await source.load(query("", order));
    assert.deepEqual([shown(), source.total, source.isPartial], [["a old", "b"], 2, true]);
    answer([], ["a", "b"]);
    await source.load(query("run", order));
    assert.deepEqual(shown(), ["a old", "b old"]);
    await source.load(query("other", order));
    assert.deepEqual([shown(), source.total], [[], 0]);
    answer([a]);
    await source.load(query("", order));
    assert.deepEqual([shown(), source.total], [["a"], 1]);
  }
});
