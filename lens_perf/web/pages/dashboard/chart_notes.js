// What a chart says in words: its notes, why it is empty, and what its picture shows.

import { formatPosition, formatValue, nameAxis } from "./chart_formats.js";
import { findLatest } from "./chart_latest.js";
import { titleOf } from "./view_state.js";

const MOST_DESCRIBED = 20;

/** Notes below a chart: what is not finite, restarts, gaps, and what a logarithmic axis cannot show. */
export function describeMarks({ lines, restarts, nonFinite }, log) {
  const counts = new Map();
  for (const { kind } of nonFinite) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const notes = [...counts].map(([kind, count]) => `✕ ${count.toLocaleString("en")} × ${kind}`);
  if (restarts.length) notes.push(`┆ ${plural(restarts.length, "restart")}`);
  const discarded = lines.filter(({ kept, x }) => kept < x.length).length;
  if (discarded) notes.push("faint: discarded iterations");
  const gaps = lines.reduce((sum, { path }) => sum + path.gaps.length, 0);
  if (gaps) notes.push(`⋯ ${plural(gaps, "gap")}`);
  const below = log ? lines.reduce((sum, { y }) => sum + y.reduce((count, value) => count + (value <= 0), 0), 0) : 0;
  if (below) notes.push(`${plural(below, "value")} of 0 or less not shown on the log axis`);
  return notes.join("   ");
}

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/**
 * Why a chart of `names` has no line along `axis`; `held` are the series of its visible runs. `lacksAxis` says that the
 * axis is a metric, and that no record of these runs has it and one of `names`; `isOutside`, that all lines are outside
 * the range.
 */
export function explainEmpty(
  names,
  held,
  {
    axis,
    align,
    hasRuns,
    isAnyVisible,
    isLoading,
    isZoomed,
    isOutside = false,
    lacksAxis = false,
    failure = null,
    warnings = [],
  },
) {
  const what = titleOf(names);
  if (!hasRuns) return "";
  if (!isAnyVisible) return "All runs are hidden.";
  if (align === "restart" && held.length && !isOutside) return "No attempt redid iterations of this metric.";
  if (isLoading) return warnings[0]?.message ?? failure ?? "Loading …";
  if (isOutside || (!lacksAxis && !held.some(({ values }) => values.length)))
    return isZoomed ? `No data points of ${what} in this range.` : `No data points of ${what}.`;
  if (axis === "time" || axis === "relative_time")
    return "These records have no times. Choose iterations as the x axis.";
  if (axis === "iteration") return "These records have no iterations. Choose time as the x axis.";
  return `No record has both ${what} and ${axis}.`;
}

/**
 * Which visible runs are not shown, and why: `absent` have no points on the x axis; `pending`, each `{name, status,
 * message}`, could not be read.
 */
export function describeAbsent(absent, what, pending) {
  const parts = pending.map(({ name, status, message }) => `${status}: ${name} (${message})`);
  return [...parts, ...(absent.length ? [`not shown: ${absent.join(", ")} (no ${what})`] : [])].join("   ");
}

/** The chart in words, for those who do not see it: the last value of each run, metric and data source. */
export function describeChart(names, lines, axis) {
  const series = new Map();
  for (const line of lines.filter(({ x }) => x.length)) {
    const key = `${line.run} ${line.seriesLabel}`;
    series.set(key, [...(series.get(key) ?? []), line]);
  }
  const last = [...series.values()].slice(0, MOST_DESCRIBED).map((attempts) => {
    const { line, place } = findLast(attempts, axis);
    return `${line.seriesLabel}, last ${formatValue(line.values[place])} at ${formatPosition(axis, line.x[place])}`;
  });
  const what = `${titleOf(names)} along ${nameAxis(axis)}`;
  return `${what}: ${last.join("; ") || "no points"}. Arrow keys move the cursor.`;
}

/** The last point of `lines`, those of the attempts of a run; a discarded one only where there are no others. */
function findLast(lines, axis) {
  const latestFirst = lines.toSorted((one, other) => numberOf(other) - numberOf(one));
  const isKept = ({ iterations, attempt }, place) => !(iterations[place] >= (attempt?.redoneFrom ?? Infinity));
  for (const isWanted of [isKept, () => true]) {
    for (const line of latestFirst) {
      const place = findLatest(line, axis, (each) => isWanted(line, each));
      if (place >= 0) return { line, place };
    }
  }
}

const numberOf = ({ attempt }) => attempt?.number ?? 0;
