// Runs, attempts and series, as the tests of charts take them.
import { layOutLines } from "../../../lens_perf/web/pages/dashboard/chart_lines.js";
import { holdSeries } from "../../../lens_perf/web/pages/dashboard/series_changes.js";

export const VIEW = { axis: "iteration", align: null };

export const series = (
  first,
  last,
  { serial = 0, time = first * 1000, value = (iteration) => 100 - iteration, metric = "loss", source = "log" } = {},
) => {
  const iterations = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return holdSeries({
    metric_name: metric,
    data_source: source,
    serial,
    iterations,
    timestamps: iterations.map((each) => time + (each - first) * 1000),
    values: iterations.map(value),
  });
};

export const attempt = (number, serial, firstIteration, lastIteration, firstTimestamp, redoneFrom = null) => ({
  number,
  serial,
  firstIteration,
  lastIteration,
  firstTimestamp,
  lastTimestamp: firstTimestamp + 1000 * (lastIteration - firstIteration),
  redoneFrom,
  isVisible: true,
  colour: `#${number}`,
  dash: [],
});

export const makeRun = (attempts = [], extra = {}) => ({
  key: "a/run",
  uid: "run",
  name: "run",
  slot: 0,
  colour: "#run",
  dash: [],
  isVisible: true,
  isSplit: false,
  attempts,
  progress: { first_timestamp: 1000 },
  ...extra,
});

export const layOut = (run, held, view = VIEW, names = ["loss"]) =>
  layOutLines(names, [run], (_key, name) => held.filter(({ metric }) => metric === name), view);

// Iterations 1 to 10, then 6 to 20 again.
export const ATTEMPTS = [attempt(1, 0, 1, 10, 1000, 6), attempt(2, 1, 6, 20, 60_000)];
export const HELD = [series(1, 10), series(6, 20, { serial: 1, time: 60_000, value: (iteration) => 50 - iteration })];
