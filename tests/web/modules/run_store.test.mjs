import assert from "node:assert/strict";
import test from "node:test";

import { RunStore } from "../../../lens_perf/web/pages/dashboard/run_store.js";
import { DEFAULTS } from "../../../lens_perf/web/pages/dashboard/view_state.js";

const workloads = ["a", "b", "c"].map((uid) => ({ cluster: "c", uid }));
const attempt = (number) => ({
  number,
  serial: 0,
  first_iteration: 1,
  last_iteration: 9,
  first_timestamp: 0,
  last_timestamp: 1,
  records: 9,
  discarded_from: null,
});
const requests = [];
const client = {
  readProgresses: async (asked) => ({
    workloads: asked
      .filter(({ uid }) => uid !== "c")
      .map(({ cluster, uid }) => ({
        cluster,
        workload_uid: uid,
        state: uid === "a" ? "running" : null,
        current_iteration: uid === "a" ? 9 : null,
        attempts: uid === "a" ? [attempt(1), attempt(2)] : [],
      })),
    warnings: asked
      .filter(({ uid }) => uid === "c")
      .map(({ cluster, uid }) => ({ cluster, workload_uid: uid, message: "away" })),
  }),
  findListed: async ({ uid }) => (uid === "d" ? { last_iteration: 300 } : null),
  readSummaries: async (asked, names) => {
    requests.push([asked.map(({ uid }) => uid), names]);
    return {
      workloads: asked.map(({ cluster, uid }) => ({
        cluster,
        workload_uid: uid,
        metrics: [
          { metric_name: "loss", count: 5 },
          { metric_name: "loss", count: 2 },
        ],
      })),
      warnings: [],
    };
  },
};

test("runs carry their state, their attempts and what is visible", async () => {
  const store = new RunStore(client);
  await store.loadProgress(workloads);
  const [a, b, c] = store.build({ ...DEFAULTS, workloads, hidden: ["c/b"], attempts: { "c/a": [2] } });
  assert.deepEqual(
    [a.state, a.iteration, a.isVisible, a.isSplit, a.attempts.map(({ isVisible }) => isVisible)],
    ["running", 9, true, true, [false, true]],
  );
  assert.notDeepEqual([a.attempts[0].colour, a.attempts[0].dash], [a.attempts[1].colour, a.attempts[1].dash]);
  assert.deepEqual([b.exists, b.isVisible, b.attempts], [false, false, []]);
  assert.equal(c.progress.message, "away");
  assert.equal(new Set([a, b, c].map(({ colour }) => colour)).size, 3);
});

test("a run is named with its cluster while a run of the same uid in another cluster is in view", () => {
  const nameRuns = (...keys) => {
    const chosen = keys.map((key) => key.split("/")).map(([cluster, uid]) => ({ cluster, uid }));
    return new RunStore(client).build({ ...DEFAULTS, workloads: chosen }).map(({ name }) => name);
  };
  assert.deepEqual(nameRuns("c/a", "d/a", "d/b"), ["a · c", "a · d", "b"]);
  assert.deepEqual(nameRuns("c/a", "c/a", "d/b"), ["a", "a", "b"]);
});

test("the iteration of a run without times is that of the list, whichever metrics have charts", async () => {
  const store = new RunStore(client);
  const view = { ...DEFAULTS, workloads: [{ cluster: "c", uid: "d" }] };
  await store.loadProgress(view.workloads);
  await store.loadSummaries(view.workloads, ["loss"]);
  const [run] = store.build(view);
  assert.deepEqual([run.exists, run.state, run.iteration], [true, null, 300]);
});

test("statistics that are held are not requested again", async () => {
  const store = new RunStore(client);
  requests.length = 0;
  await store.loadSummaries(workloads.slice(0, 1), ["loss"], undefined, { onlyNew: true });
  await store.loadSummaries(workloads.slice(0, 2), ["loss"], undefined, { onlyNew: true });
  await store.loadSummaries(workloads.slice(0, 2), [], undefined);
  assert.deepEqual(requests, [
    [["a"], ["loss"]],
    [["b"], ["loss"]],
  ]);
});

test("metrics are counted where their numbers of points are known", async () => {
  const store = new RunStore(client);
  const count = () => [...store.countMetrics(workloads)];
  store.found(
    new Map([
      ["c/a", ["loss", "lr"]],
      ["c/c", ["lr"]],
    ]),
  );
  assert.deepEqual([store.hasNames("c/a"), store.hasNames("c/b"), store.listNames("c/b")], [true, false, []]);
  assert.deepEqual(count(), [
    ["loss", null],
    ["lr", null],
  ]);
  await store.loadMetrics(workloads.slice(0, 2));
  assert.deepEqual(count(), [
    ["loss", 14],
    ["lr", null],
  ]);
  assert.deepEqual([store.hasNames("c/b"), store.listNames("c/a")], [true, ["loss"]]);
});

test("progress that cannot be read again is kept, with the time of its reading", async () => {
  const answers = [];
  const store = new RunStore({
    ...client,
    readProgresses: async (asked) => (answers.length ? answers.shift()() : client.readProgresses(asked)),
  });
  const view = { ...DEFAULTS, workloads: workloads.slice(0, 1) };
  const read = () => store.loadProgress(view.workloads).catch(() => null);
  const asOf = () => store.build(view)[0].asOf;
  const warning = { cluster: "c", workload_uid: "a", message: "away" };
  const begin = Date.now();
  await read();
  assert.equal(asOf(), null);
  answers.push(() => ({ workloads: [], warnings: [warning] }));
  await read();
  assert.ok(asOf() >= begin);
  assert.equal(store.build(view)[0].state, "running");
  await read();
  assert.equal(asOf(), null);
  answers.push(() => Promise.reject(new Error("away")));
  await read();
  assert.deepEqual([asOf() >= begin, store.build(view)[0].state], [true, "running"]);
});
