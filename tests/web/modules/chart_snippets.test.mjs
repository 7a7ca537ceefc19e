import assert from "node:assert/strict";
import test from "node:test";

import { RUNS, VIEW } from "./series_service.mjs";

const { writeSnippet } = await import("../../../lens_perf/web/pages/dashboard/chart_snippets.js");
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
