// The points next to a range that is shown: the lines of a chart lead on to them. No DOM.

import { applyChanges } from "./series_changes.js";

/** Return the series `held` of a range with the last of the points `before` it and the first of those `after` it. */
export function joinEdges(held, before, after, axis) {
  const sides = [before.map((series) => pick(series, axis, -1)), after.map((series) => pick(series, axis, 0))];
  return sides.reduce((joined, side) => applyChanges(joined, [], side), held);
}

/** A series, as the API returns it, of its first point along `axis` alone, or, for -1, of its last. */
function pick(series, axis, place) {
  const positions = axis === "time" ? series.timestamps : series.iterations;
  const index = [...positions.keys()].sort((one, other) => positions[one] - positions[other]).at(place);
  const columns = ["iterations", "timestamps", "values"];
  return { ...series, ...Object.fromEntries(columns.map((name) => [name, series[name].slice(index, index + 1)])) };
}
