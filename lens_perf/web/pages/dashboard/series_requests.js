// The requests for series: of how many runs, metrics and points each, and along which range.

import { askAbout, namesOf } from "./api_client.js";
import { AXES } from "./view_state.js";

// Each point of a preview is an index lookup.
const PREVIEW_POINTS = 150;
const LEAST_PREVIEW = 30;
const MOST_PREVIEW = 900;
// Enough to find the metrics that every few records report.
const NAME_POINTS = 20;
// The metrics of the first request, as many as there are charts on the first screen, and of the others.
const FIRST_METRICS = 4;
const PAGE_METRICS = 12;
// Points of all series of an answer, and of those of a workload, which the service limits to 300,000.
const MOST_POINTS = 300_000;
const MOST_OF_WORKLOAD = 200_000;
export const LEAST_POINTS = 200;
const POINTS_STEP = 200;
// Of as few points, the first and the last are returned all the same.
const EDGE_POINTS = 4;
// Before and after all iterations, and all times in milliseconds: no Date is later.
const [EARLIEST, LATEST] = [0, 8.64e15];

/** What the API calls the axis that points are sampled along: relative time is that of the day, from another zero. */
export const axisOf = ({ axis }) => (axis === "relative_time" ? "time" : axis);

/** What is read for `view`: all of what is aligned, as each attempt has its own zero. */
export const toRead = (view) => (view.align ? { ...view, xRange: null } : view);

const isOfRelativeTime = ({ axis, xRange }) => axis === "relative_time" && xRange !== null;

/** Where the range of relative time that is shown begins to count for a run; null if unknown, or for another range. */
export const beginOf = ({ progress }, view) => (isOfRelativeTime(view) ? (progress?.first_timestamp ?? null) : null);

/** The runs whose progress is needed to read the range shown: it says where their relative time begins. */
export const findAwaited = (runs, view) =>
  isOfRelativeTime(toRead(view)) ? runs.filter(({ progress }) => progress?.first_timestamp === undefined) : [];

/** What is read again once it changes, of `most` points of a series. */
export const scopeOf = (view, most) => JSON.stringify([axisOf(view), view.xRange, isOfRelativeTime(view), most]);

/** As many points of a series as its chart can show, `wanted`, fewer where there are many series. */
export function choosePoints(runs, metrics, wanted) {
  const attempts = Math.max(1, ...runs.map((run) => run.attempts?.length ?? 1));
  const most = Math.min(
    wanted,
    MOST_POINTS / (runs.length * Math.min(metrics, PAGE_METRICS) || 1),
    MOST_OF_WORKLOAD / (attempts * Math.min(metrics, PAGE_METRICS) || 1),
  );
  return Math.max(LEAST_POINTS, Math.floor(most / POINTS_STEP) * POINTS_STEP);
}

/** What is missing, as requests `{runs, names}` of some metrics of some runs each. */
export function planPages(runs, names, held, view) {
  return divide(findPages(runs, names, held, view), view);
}

function findPages(runs, names, held, view) {
  const pages = [];
  const isHeld = (run, name) =>
    Boolean(held.get(run.key)?.names.has(name)) && held.get(run.key).begin === beginOf(run, view);
  for (let first = 0, size = FIRST_METRICS; first < names.length; [first, size] = [first + size, PAGE_METRICS]) {
    const page = names.slice(first, first + size);
    const missing = page.filter((name) => runs.some((run) => !isHeld(run, name)));
    const lacking = runs.filter((run) => missing.some((name) => !isHeld(run, name)));
    if (lacking.length) pages.push({ runs: lacking, names: missing });
  }
  return pages;
}

const describe = (names, { axis }) => [
  ["layout", "columns"],
  ["non_finite", "true"],
  ["split", "serial"],
  ["axis", axis],
  ...names.map((name) => ["metric", name]),
];

/** A range of relative time is another range of time for each run; one of a metric, another of iterations. */
const divide = (pages, { axis, xRange }) =>
  xRange && axis !== "iteration" && axis !== "time"
    ? pages.flatMap(({ runs, names }) => runs.map((run) => ({ runs: [run], names })))
    : pages;

/** The parameters of the range that is shown; `iterations` are those of a range of a metric, if they are known. */
function findRange({ axis, xRange }, runs, iterations = null) {
  if (iterations)
    return [
      ["start_iteration", iterations[0]],
      ["end_iteration", iterations[1]],
    ];
  if (!xRange) return [];
  const [start, end] = [Math.floor(xRange[0]), Math.ceil(xRange[1])];
  const begin = runs.length === 1 ? beginOf(runs[0], { axis, xRange }) : null;
  if (begin !== null)
    return [
      ["start", begin + start],
      ["end", begin + end],
    ];
  if (axis === "time")
    return [
      ["start", start],
      ["end", end],
    ];
  return axis === "iteration"
    ? [
        ["start_iteration", start],
        ["end_iteration", end],
      ]
    : [];
}

/** Ask for a few points of all metrics, which name them. */
export function askNames(runs, signal) {
  const query = [...describe([], { axis: "iteration" }), ["method", "stride"], ["max_points", NAME_POINTS]];
  return request(runs, query, signal);
}

/** Whether there can be a preview: along a metric, it has no positions; along time, it has no range. */
export const hasPreview = ({ axis, xRange }) => AXES.includes(axis) && (axis === "iteration" || !xRange);

/** Ask for a coarse line. */
export function askPreview(runs, names, view, signal) {
  const most = Math.max(LEAST_PREVIEW, Math.min(PREVIEW_POINTS, Math.floor(MOST_PREVIEW / runs.length)));
  const range = view.axis === "iteration" ? findRange(view, runs) : [];
  const query = [...describe(names, { axis: null }), ...range, ["method", "stride"], ["max_points", most]];
  return request(runs, query, signal);
}

/** Ask for full series of up to `most` points, and for a cursor; of a range of a metric, within `iterations`. */
export function askSeries({ runs, names, iterations }, view, most, signal) {
  const query = [...describeSample(names, view, most), ...findRange(view, runs, iterations), ["after", ""]];
  return request(runs, query, signal);
}

/**
 * Ask for points on both sides of the range that is shown, the nearest ones among them: return the series before and
 * those after it. In a range of a metric, the points around it are in the full series.
 */
export function askEdges({ runs, names }, view, signal) {
  const range = AXES.includes(view.axis) ? findRange(view, runs) : [];
  const [start, end] = range.map(([, at]) => at);
  const ask = async (...ends) => {
    if (!range.length || ends[0] > ends[1]) return [];
    const query = [...describeSample(names, view, EDGE_POINTS), ...range.map(([name], index) => [name, ends[index]])];
    return (await request(runs, query, signal)).series;
  };
  return Promise.all([ask(EARLIEST, start - 1), ask(end + 1, LATEST)]);
}

/** Ask for what has changed since `cursor`, in any range: what comes after the range is next to it. */
export function askChanges(runs, names, view, most, cursor, signal) {
  return request(runs, [...describeSample(names, view, most), ["after", cursor]], signal);
}

/** Whether a request can give the range that is shown: it has no parameters for one of a metric. */
export const hasRange = (runs, view) => findRange(view, runs).length > 0;

/**
 * The parameters of the series of a chart as a table, for other programs; `wanted` as for choosePoints, `iterations` as
 * for askSeries.
 */
export const describeExport = (runs, names, view, wanted, iterations = null) => [
  ...namesOf(runs),
  ...names.map((name) => ["metric", name]),
  ["axis", axisOf(view)],
  ...findRange(view, runs, iterations),
  ["max_points", choosePoints(runs, names.length, wanted)],
  ...(runs.some(({ attempts = [] }) => attempts.length > 1) ? [["include", "serial"]] : []),
  ...listSerials(runs).map((serial) => ["serial", serial]),
  ["non_finite", "true"],
  ["format", "csv"],
];

/** The attempts that are shown if others are hidden: of one run, as the parameter applies to all runs alike. */
function listSerials([{ attempts = [] }, ...others]) {
  const shown = attempts.filter(({ isVisible }) => isVisible !== false);
  const serials = shown.map(({ serial }) => serial);
  return others.length || shown.length === attempts.length || !serials.every(Number.isInteger)
    ? []
    : [...new Set(serials)];
}

const describeSample = (names, view, most) => [...describe(names, { axis: axisOf(view) }), ["max_points", most]];

const request = (runs, query, signal) => askAbout("metrics/data", runs, query, signal);
