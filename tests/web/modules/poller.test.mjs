import assert from "node:assert/strict";
import test from "node:test";

import { POINTS, PROGRESS, Retry, Schedule } from "../../../lens_perf/web/pages/dashboard/poller.js";

const MINUTE = 60_000;

/** Count the requests of a schedule in ten minutes, looked at each second. */
async function count(schedule, runs, requestMs) {
  let now = 0;
  let requests = 0;
  for (; now < 10 * MINUTE; now += 1000) {
    const due = schedule.due(runs, now);
    if (!due.length) continue;
    requests += 1;
    await schedule.ask(
      due,
      () => {
        now += requestMs;
      },
      () => now,
    );
  }
  return requests;
}

const runs = (state) => Array.from({ length: 20 }, (_, index) => ({ key: `c/${index}`, state }));

test("runs that have ended are asked about rarely, all in one request", async () => {
  const requests =
    (await count(new Schedule(POINTS), runs("ended"), 20)) +
    (await count(new Schedule(PROGRESS), runs("finished"), 20));
  assert.ok(requests <= 13, `${requests} in ten minutes`);
});

test("running ones are asked about every few seconds", async () => {
  const requests = await count(new Schedule(POINTS), runs("running"), 20);
  assert.ok(requests > 100 && requests <= 200, String(requests));
});

test("a slow answer is followed by a longer pause", async () => {
  assert.ok((await count(new Schedule(POINTS), runs("running"), 4000)) <= 15);
});

test("a run is not asked about twice at once, and is due at once after hurry", async () => {
  const schedule = new Schedule(PROGRESS);
  const [run] = runs("ended");
  let finish;
  const asked = schedule.ask(
    [run],
    () =>
      new Promise((done) => {
        finish = done;
      }),
    () => 0,
  );
  assert.deepEqual(schedule.due([run], MINUTE * 99), []);
  finish();
  await asked;
  assert.deepEqual(schedule.due([run], 1000), []);
  schedule.hurry([run.key]);
  assert.deepEqual(schedule.due([run], 1000), [run]);
  schedule.note([run], 1000);
  assert.deepEqual(schedule.due([run], 2000), []);
});

test("each failure is followed by a longer pause, up to a minute", () => {
  const retry = new Retry();
  assert.ok(retry.isDue(0));
  const pauses = Array.from({ length: 8 }, () => {
    retry.fail(0);
    return retry.at;
  });
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 32_000, MINUTE, MINUTE, MINUTE]);
  assert.ok(!retry.isDue(59_999));
  retry.succeed();
  assert.ok(retry.isDue(0));
});

test("a run whose request was interrupted is due at once; one whose request failed is not", async () => {
  const schedule = new Schedule({ running: 1000 });
  const run = { key: "a/x", state: "running" };
  const fail = (name) =>
    schedule.ask(
      [run],
      () => Promise.reject(Object.assign(new Error(), { name })),
      () => 0,
    );
  await assert.rejects(fail("AbortError"));
  assert.equal(schedule.due([run], 1).length, 1);
  await assert.rejects(fail("ApiError"));
  assert.equal(schedule.due([run], 1).length, 0);
});

test("a run that could not be read is asked about soon, although it has ended", () => {
  const schedule = new Schedule(PROGRESS);
  const [ended] = runs("ended");
  schedule.note([ended], 0);
  assert.deepEqual(schedule.due([ended], 16_000), []);
  assert.equal(schedule.due([{ ...ended, asOf: 1 }], 16_000).length, 1);
});
