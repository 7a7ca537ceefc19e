// What a chart shows: its lines and marks, the ranges of its axes, and why runs are absent.

import { alignAtRestarts } from "./chart_alignment.js";
import { clipLines } from "./chart_clip.js";
import { markSparse } from "./chart_density.js";
import { addTrends, layOutLines, listNonFinite, listRestarts } from "./chart_lines.js";
import { describeAbsent, explainEmpty } from "./chart_notes.js";
import { findXRange, findYRange } from "./chart_ranges.js";
import { describeMissing } from "./run_columns.js";
import { AXES, scaleOf, titleOf } from "./view_state.js";

// Around a single point in time, in milliseconds.
const POINT_ROOM = 30_000;

/** The lines of a chart of `names` without smoothing, whichever ranges are shown. */
export function layOutPlain(names, runs, view, store) {
  const seriesOf = (key, name) => store.seriesOf(key, name);
  if (view.align !== "restart") return layOutLines(names, runs, seriesOf, view);
  const split = runs.map((run) => ({ ...run, isSplit: true }));
  return alignAtRestarts(
    layOutLines(names, split, seriesOf, view),
    (key) => runs.find((run) => run.key === key)?.attempts ?? [],
  );
}

/** The content of a chart of the lines `plain` of `runs`, those in the legend, for its plot; `scale` is that of y. */
export function layOutChart(plain, runs, view, scale) {
  const isAligned = view.align === "restart";
  const restarts = isAligned ? [] : listRestarts(runs, view.axis);
  const axis = isAligned && view.axis === "time" ? "relative_time" : view.axis;
  const xRange =
    view.xRange ??
    findXRange(plain, axis === "iteration" ? 0.5 : POINT_ROOM) ??
    (axis === "time" ? [Date.now() - 3_600_000, Date.now()] : [0, 1]);
  const { log } = scale;
  const lines = markSparse(clipLines(addTrends(plain, view.smoothing, xRange[1] - xRange[0]), xRange, log), xRange);
  const yRange = findYRange(lines, scale) ?? (log ? [1, 10] : [0, 1]);
  const within = ({ at }) => at >= xRange[0] && at <= xRange[1];
  return {
    lines,
    restarts: lines.length ? restarts.filter(within) : [],
    nonFinite: listNonFinite(lines),
    xRange,
    yRange,
    axis,
    log,
  };
}

/** All that the lines depend on, to compare one by one: series that are read again are other arrays. */
export function listInputs(names, runs, { axis, align }, store) {
  const drawn = runs.map(({ progress, summary, counts, iteration, asOf, ...run }) => ({
    ...run,
    begin: progress?.first_timestamp,
  }));
  return [
    JSON.stringify([axis, align, drawn]),
    ...runs.flatMap(({ key }) => names.map((name) => store.seriesOf(key, name))),
  ];
}

/** What else the content depends on, as text. */
export function describeRest(names, runs, view, store) {
  const { xRange, smoothing } = view;
  const isRead = runs.map(({ key }) => names.map((name) => store.isRead(key, [name])));
  const listed = listRuns(names, runs, store).map(({ key }) => key);
  const lacking = runs.map((run) => lacksAxis(names, run, view, store) && Boolean(run.counts));
  const scale = scaleOf(view, titleOf(names));
  return JSON.stringify([xRange, scale, smoothing, store.warnings, store.failure, isRead, listed, lacking]);
}

/** The runs in the legend: all but those that are known to have no points of `names`, in any range. */
export const listRuns = (names, runs, store) =>
  runs.filter(({ key, counts }) =>
    names.some((name) => !counts || counts.get(name) > 0 || store.seriesOf(key, name).length > 0),
  );

/**
 * Whether the axis is a metric that no record of a run with one of `names` has: the service then returns no points. In
 * a range, that is known by the number of points of that metric.
 */
function lacksAxis(names, { key, counts }, { axis, xRange }, store) {
  if (AXES.includes(axis) || !store.isRead(key, names)) return false;
  if (names.some((name) => store.seriesOf(key, name).length > 0)) return false;
  if (counts && !names.some((name) => counts.get(name) > 0)) return false;
  return xRange === null || Boolean(counts && !counts.get(axis));
}

const listVisible = (runs) => runs.filter(({ isVisible }) => isVisible);

/** Why a chart of `names` has no lines; `isOutside` says that there are some outside the range. */
export function explain(names, runs, view, store, isOutside) {
  const visible = listVisible(runs);
  if (visible.length && visible.every(({ exists }) => exists === false)) return describeMissing(visible);
  const held = visible.flatMap((run) => names.flatMap((name) => store.seriesOf(run.key, name)));
  const listed = listRuns(names, visible, store);
  return explainEmpty(names, held, {
    ...view,
    hasRuns: runs.length > 0,
    isAnyVisible: visible.length > 0,
    isZoomed: view.xRange !== null,
    isOutside,
    warnings: store.warnings,
    failure: store.failure,
    isLoading: visible.some(({ key }) => !store.isRead(key, names)),
    lacksAxis: listed.length > 0 && listed.every((run) => lacksAxis(names, run, view, store)),
  });
}

/** Which visible runs have points but none on this axis; `plain` are the lines in any range. */
export function nameAbsent(names, runs, view, store, plain, axis) {
  const isHeld = (run) => names.some((name) => store.seriesOf(run.key, name).length > 0);
  const visible = listVisible(runs);
  const absent = visible
    .filter((run) => isHeld(run) || (run.counts && lacksAxis(names, run, view, store)))
    .filter((run) => !plain.some((line) => line.run === run.key))
    .map(({ name }) => name);
  const what = view.align
    ? "redone iterations"
    : ({ iteration: "iterations", time: "times", relative_time: "times" }[axis] ?? axis);
  const pending = listRuns(names, visible, store).flatMap((run) => {
    const warning = store.warnings.find((each) => each.cluster === run.cluster && each.workload_uid === run.uid);
    const isRead = store.isRead(run.key, names);
    // All of its points are known, and there are none.
    if (!warning || (isRead && !isHeld(run) && !run.counts)) return [];
    const status = isRead ? "not up to date" : isHeld(run) ? "not read in full yet" : "not read yet";
    return [{ name: run.name, status, message: warning.message }];
  });
  return describeAbsent(absent, what, pending);
}

/** What the colours of attempts drawn apart mean, and the dashes of a chart of several metrics or data sources. */
export const listKinds = (names, lines) => [...listAttempts(lines), ...listDashes(names, lines)];

function listAttempts(lines) {
  const apart = lines.filter(({ isApart }) => isApart);
  const isOne = new Set(lines.map(({ run }) => run)).size < 2;
  const kinds = new Map();
  for (const { run, name, attempt } of apart) {
    const text = `attempt ${attempt.number}`;
    const { colour, dash } = attempt;
    kinds.set(`${run} ${attempt.number}`, { text: isOne ? text : `${name} · ${text}`, colour, dash });
  }
  return [...kinds.values()];
}

function listDashes(names, lines) {
  const kinds = new Map();
  const sources = new Set(lines.map(({ source }) => source));
  for (const line of lines) {
    const text = [names.length > 1 ? line.metric : "", sources.size > 1 ? (line.source ?? "no source") : ""]
      .filter(Boolean)
      .join(" · ");
    if (!text) continue;
    const isSparse = line.isSparse && (kinds.get(text)?.isSparse ?? true);
    kinds.set(text, { text, colour: "currentColor", dash: line.variantDash, isSparse });
  }
  return kinds.size > 1 ? [...kinds.values()] : [];
}
