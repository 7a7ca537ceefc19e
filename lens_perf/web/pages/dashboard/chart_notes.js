// What a chart says in words: its notes, why it is empty, and what its picture shows.

import { formatPosition, formatValue } from "./chart_formats.js";
import { titleOf } from "./view_state.js";

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

/** The chart in words, for those who do not see it. */
export function describeChart(names, lines, axis) {
  const last = lines
    .filter(({ x }) => x.length)
    .slice(0, 20)
    .map(({ label, values, x, kept }) => {
      const place = Math.max(0, (kept || x.length) - 1);
      return `${label}, last ${formatValue(values[place])} at ${formatPosition(axis, x[place])}`;
    });
  const what = `${titleOf(names)} along ${axis.replace("_", " ")}`;
  return `${what}: ${last.join("; ") || "no points"}. Arrow keys move the cursor.`;
}
