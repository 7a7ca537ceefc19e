// What a chart shows where the pointer is: the nearest point of each line, sorted by value.

import { findNearest, findPlace } from "./chart_ranges.js";

// A point farther away than this share of the plot, and than its neighbours are, is not what the pointer is at.
const REACH = 0.02;

/** The points of `lines` at `x`: `{line, index, x, raw, shown}`, the greatest value first, the not finite ones last. */
export function findPoints(lines, x, [low, high]) {
  const reach = (high - low) * REACH;
  const found = [];
  for (const line of lines) {
    const index = findNearest(line.x, x);
    if (index < 0 || Math.abs(line.x[index] - x) > Math.max(reach, spacing(line.x, index))) continue;
    const raw = line.values[index];
    found.push({
      line,
      index,
      x: line.x[index],
      raw,
      shown: line.trend && Number.isFinite(raw) ? (findFinite(line.trend, line.x[index]) ?? raw) : raw,
      isDiscarded: index >= line.kept,
    });
  }
  return found.sort((one, other) => rank(other.shown) - rank(one.shown));
}

/** The finite value nearest to `at`; a smoothed line has others where the points are not finite. Null without any. */
function findFinite({ x, y }, at) {
  const place = findPlace(x, at);
  let [before, after] = [place - 1, place];
  while (before >= 0 && !Number.isFinite(y[before])) before -= 1;
  while (after < y.length && !Number.isFinite(y[after])) after += 1;
  if (before < 0) return y[after] ?? null;
  return after < y.length && x[after] - at < at - x[before] ? y[after] : y[before];
}

const rank = (value) =>
  Number.isNaN(value) ? -Infinity : Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value));

/** The larger distance of a point to its neighbours, halved; at the ends, there is one neighbour only. */
function spacing(x, index) {
  const before = index > 0 ? x[index] - x[index - 1] : 0;
  const after = index < x.length - 1 ? x[index + 1] - x[index] : 0;
  return Math.max(before, after) / 2;
}

/** The point whose place on the plot is nearest to `y`; `toY` returns the place of a value. */
export function findClosest(points, y, toY) {
  let closest = null;
  let least = Infinity;
  for (const point of points) {
    const distance = Math.abs(toY(point.shown) - y);
    if (distance < least) [closest, least] = [point, distance];
  }
  return closest;
}
