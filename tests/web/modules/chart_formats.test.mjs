// Numbers of charts as text.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SvgContext, nameFile, writePoints } from "../../../lens_perf/web/pages/dashboard/chart_export.js";
import {
  formatPosition,
  formatSpan,
  formatTicks,
  formatTimeTicks,
  formatValue,
} from "../../../lens_perf/web/pages/dashboard/chart_formats.js";

test("ticks have as many digits as tell them apart", () => {
  assert.deepEqual(formatTicks([0, 0.5, 1]), ["0", "0.5", "1"]);
  assert.deepEqual(formatTicks([1.0001, 1.0002, 1.0003]), ["1.0001", "1.0002", "1.0003"]);
  assert.deepEqual(formatTicks([0, 200_000, 400_000]), ["0", "200,000", "400,000"]);
  assert.deepEqual(formatTicks([0.00001, 0.00002]), ["1e-5", "2e-5"]);
  assert.deepEqual(formatTicks([null, 0.01, null, 0.1, 1]), ["", "0.01", "", "0.1", "1"]);
  assert.deepEqual(formatTicks([5, 7.5, 10, 12.5]), ["5", "7.5", "10", "12.5"]);
  assert.deepEqual(formatTicks([0.25, 0.5, 0.75]), ["0.25", "0.5", "0.75"]);
  assert.deepEqual(formatTicks([0.000125, 0.00015, 0.000175, 0.0002]), ["1.25e-4", "1.5e-4", "1.75e-4", "2e-4"]);
  assert.deepEqual(formatTicks([9.25e15, 9.5e15, 9.75e15, 1e16]), ["9.25e15", "9.5e15", "9.75e15", "1e16"]);
  assert.deepEqual(formatTicks([7]), ["7"]);
  assert.deepEqual(formatTicks([189_400]), ["189,400"]);
  assert.deepEqual(formatTicks([]), []);
  assert.equal(new Set(formatTicks([2e12, 2.5e12, 3e12])).size, 3);
  assert.equal(new Set(formatTicks([-3e-7, -2e-7, -1e-7, 0])).size, 4);
});

test("ticks of time: 24 hours, and dates as in ISO 8601", () => {
  const at = (...parts) => new Date(2026, 10, ...parts).getTime();
  const [second, hour, day] = [1000, 3_600_000, 86_400_000];
  assert.deepEqual(formatTimeTicks([null, at(26, 21), at(26, 22), at(27, 0)], hour), [
    "",
    "21:00\n2026-11-26",
    "22:00",
    "00:00\n2026-11-27",
  ]);
  assert.deepEqual(formatTimeTicks([at(26, 9, 5, 7), at(26, 9, 5, 8)], second), ["09:05:07\n2026-11-26", "09:05:08"]);
  assert.deepEqual(formatTimeTicks([at(26, 9, 5, 7, 50)], 50), ["09:05:07.050\n2026-11-26"]);
  assert.deepEqual(formatTimeTicks([at(26), at(28)], 2 * day), ["2026-11-26", "2026-11-28"]);
  assert.deepEqual(formatTimeTicks([at(1)], 30 * day), ["2026-11"]);
  assert.equal(formatPosition("time", at(6, 9, 5, 7)), "2026-11-06 09:05:07");
});

test("values", () => {
  assert.deepEqual([1.404321, 12030, 3e-7, 0, NaN, Infinity, -Infinity, null, 12345678.9].map(formatValue), [
    "1.4043",
    "12,030",
    "3.0000e-7",
    "0",
    "NaN",
    "∞",
    "-∞",
    "–",
    "1.2346e+7",
  ]);
});

test("spans", () => {
  assert.deepEqual([0, 350, 1500, 61_000, 3_661_000, 90_000_000, -61_000].map(formatSpan), [
    "0",
    "350 ms",
    "1.5 s",
    "1 min 1 s",
    "1 h 1 min",
    "1 d 1 h",
    "-1 min 1 s",
  ]);
  assert.equal(formatPosition("relative_time", 3_600_000), "1 h");
  assert.equal(formatPosition("iteration", 12030), "12,030");
  assert.equal(formatPosition("tokens", 0.5), "0.5");
});

test("CSV: no formula, everything quoted that needs it, what is unknown is empty", () => {
  const line = {
    run: "=a,b",
    metric: 'lo"ss',
    source: "log",
    attempt: { number: 2 },
    x: [1, 2],
    iterations: [1, NaN],
    times: [NaN, 5],
    values: [0.5, NaN],
    kept: 1,
    unbiased: [0],
    trend: { y: [0.25] },
  };
  assert.equal(
    writePoints([line], "iteration"),
    "run,metric,data_source,attempt,iteration,timestamp,value,smoothed,discarded\r\n" +
      '"\'=a,b","lo""ss",log,2,1,,0.5,0.25,no\r\n' +
      '"\'=a,b","lo""ss",log,2,,5,NaN,,yes\r\n',
  );
  assert.match(writePoints([], "tokens"), /timestamp,tokens,value/);
});

test("SVG: text is escaped, what is clipped is closed", () => {
  const ctx = new SvgContext(10, 20);
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, 0, 5, 5);
  ctx.clip();
  ctx.fillText("<&>", 1, 2);
  ctx.restore();
  const text = ctx.finish();
  assert.match(text, /&#60;&#38;&#62;/);
  assert.equal(text.split("<g").length, text.split("</g>").length);
});

test("names of files", () => {
  assert.equal(nameFile(["train/loss", "../x"], "svg"), "train_loss-.._x.svg");
});
