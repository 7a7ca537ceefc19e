import assert from "node:assert/strict";
import test from "node:test";

import { RUNS, VIEW } from "./series_service.mjs";

const { describeRequest, writeSnippet } = await import("../../../lens_perf/web/pages/dashboard/chart_snippets.js");
const { describeExport } = await import("../../../lens_perf/web/pages/dashboard/series_requests.js");

const address = "http://host/lens's/v1/metrics/data?metric=loss";

test("a request as a command and as Python", () => {
  assert.equal(writeSnippet("curl", address, false), "curl 'http://host/lens%27s/v1/metrics/data?metric=loss'");
  assert.equal(writeSnippet("pandas", address, false), `import pandas\nframe = pandas.read_csv("${address}")`);
});

test("the token is a placeholder", () => {
  assert.match(writeSnippet("curl", address, true), /^curl -H 'Authorization: Bearer YOUR_TOKEN' 'http/);
  assert.match(writeSnippet("pandas", address, true), /", storage_options=\{"Authorization": "Bearer YOUR_TOKEN"\}\)$/);
});

test("the parameters are those of the chart", () => {
  const query = describeExport(RUNS, ["loss"], { ...VIEW, xRange: [5.5, 20] }, 800);
  assert.equal(
    String(new URLSearchParams(query)),
    "workload=a%2Fone&workload=a%2Ftwo&metric=loss&axis=iteration&start_iteration=5&end_iteration=20&max_points=800" +
      "&non_finite=true&format=csv",
  );
});

test("of several attempts, each value has its serial", () => {
  const runs = [{ ...RUNS[0], attempts: [{ number: 1 }, { number: 2 }] }];
  const query = new URLSearchParams(describeExport(runs, ["loss"], VIEW, 800));
  assert.equal(query.get("include"), "serial");
});

const METRIC_VIEW = { ...VIEW, axis: "tokens", xRange: [10, 20] };
const chartOf = (runs, view, iterations = null) => ({
  names: ["loss"],
  runs: runs.map((run) => ({ isVisible: true, ...run })),
  view,
  store: { points: 800, findIterations: () => iterations },
});
const parametersOf = (chart) => new URLSearchParams(describeRequest(chart).query);

test("the range of a metric is that of its iterations, which may have points outside it, as a note says", () => {
  const chart = chartOf(RUNS.slice(0, 1), METRIC_VIEW, [3, 7]);
  const parameters = parametersOf(chart);
  assert.deepEqual([parameters.get("start_iteration"), parameters.get("end_iteration")], ["3", "7"]);
  const { note } = describeRequest(chart);
  assert.match(note, /^# Also points outside the range shown/);
  for (const kind of ["curl", "pandas"]) assert.ok(writeSnippet(kind, address, false, note).startsWith(`${note}\n`));
  // The metric is in the range from the first to the last iteration.
  assert.match(describeRequest(chartOf(RUNS.slice(0, 1), METRIC_VIEW, [null, null])).note, /^# All points/);
});

test("a range that cannot be given is named in the snippet", () => {
  for (const axis of ["tokens", "relative_time"]) {
    const { query, note } = describeRequest(chartOf(RUNS, { ...METRIC_VIEW, axis }));
    assert.ok(!query.some(([name]) => /^(start|end)/.test(name)));
    assert.match(note, /^# .+ range/);
    for (const kind of ["curl", "pandas"]) assert.ok(writeSnippet(kind, address, false, note).startsWith(`${note}\n`));
  }
  assert.equal(describeRequest(chartOf(RUNS, VIEW)).note, "");
});

test("hidden attempts of one run are left out", () => {
  const attempts = [0, 1, 2].map((serial) => ({ number: serial + 1, serial, isVisible: serial !== 1 }));
  const run = { ...RUNS[0], attempts };
  const parameters = parametersOf(chartOf([run], VIEW));
  assert.deepEqual([parameters.getAll("serial"), parameters.get("include")], [["0", "2"], "serial"]);
  assert.deepEqual(parametersOf(chartOf([run, RUNS[1]], VIEW)).getAll("serial"), []);
  const shown = { ...run, attempts: attempts.map((each) => ({ ...each, isVisible: true })) };
  assert.deepEqual(parametersOf(chartOf([shown], VIEW)).getAll("serial"), []);
});

test("parameters that are too long for a request line are sent in the body", () => {
  const names = Array.from({ length: 100 }, (_, index) => `workload=a%2F${"x".repeat(80)}${index}`).join("&");
  const curl = writeSnippet("curl", `http://host/v1/metrics/data?${names}`, true);
  assert.equal(curl, `curl -H 'Authorization: Bearer YOUR_TOKEN' --data '${names}' 'http://host/v1/metrics/data'`);
  const lines = writeSnippet("pandas", `http://host/v1/metrics/data?${names}`, true).split("\n");
  assert.deepEqual(lines.slice(2), [
    `request = Request("http://host/v1/metrics/data", b"${names}", {"Authorization": "Bearer YOUR_TOKEN"})`,
    "frame = pandas.read_csv(urlopen(request))",
  ]);
});
