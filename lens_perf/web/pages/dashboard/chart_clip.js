// What of a line is in the range of x that is shown: its points there, and its path, which leads on to both ends of the
// range if there are points beyond them. No DOM.

import { findWithin } from "./chart_ranges.js";

/**
 * The lines that are seen in `xRange`, each with its points there, and with its `path` from end to end. A line without
 * a point there is seen if it passes through.
 */
export const clipLines = (lines, xRange, log) =>
  lines
    .map((line) => clipLine(line, xRange, log))
    .filter(({ x, path }) => x.length > 0 || path.y.every(Number.isFinite));

function clipLine(line, xRange, log) {
  const clipped = clip(line, xRange, log);
  return { ...clipped, trend: line.trend && clip(line.trend, xRange, log) };
}

function clip(line, xRange, log) {
  const [begin, end] = findWithin(line.x, xRange);
  return { ...take(line, begin, end), path: makePath(line, begin, end, xRange, log) };
}

const COLUMNS = ["x", "y", "values", "iterations", "times"];

/** The points of a line, or of its smoothed line, at the places from `begin` to before `end`. */
export function take(line, begin, end) {
  const columns = COLUMNS.filter((name) => line[name]);
  const part = Object.fromEntries(columns.map((name) => [name, line[name].subarray(begin, end)]));
  const within = (places) => places?.filter((place) => place >= begin && place < end).map((place) => place - begin);
  return {
    ...line,
    ...part,
    kept: Math.min(line.kept, end) - Math.min(line.kept, begin),
    gaps: within(line.gaps),
    unbiased: within(line.unbiased),
  };
}

/** What is painted: the points, between two more where the line crosses the ends of `xRange`; NaN if it does not. */
function makePath(line, begin, end, xRange, log) {
  const { x, y, kept, gaps } = line;
  const [first, last] = [begin, end].map((place, index) => interpolate(line, place, xRange[index], log));
  const toPath = (place) => place - begin + 1;
  return {
    x: enclose(xRange[0], x.subarray(begin, end), xRange[1]),
    y: enclose(first, y.subarray(begin, end), last),
    kept: Math.min(end - begin + 2, Math.max(0, toPath(kept))),
    gaps: gaps.filter((place) => place >= begin && place <= end).map(toPath),
  };
}

/** The value at `at`, between the points before and at `place`; NaN if no line connects them. */
function interpolate({ x, y, kept }, place, at, log) {
  if (place <= 0 || place >= x.length || place === kept) return NaN;
  const share = (at - x[place - 1]) / (x[place] - x[place - 1]);
  // A line is straight on the plot, whatever its scale.
  return log ? y[place - 1] ** (1 - share) * y[place] ** share : y[place - 1] + (y[place] - y[place - 1]) * share;
}

function enclose(first, values, last) {
  const all = new Float64Array(values.length + 2);
  all.set(values, 1);
  [all[0], all[all.length - 1]] = [first, last];
  return all;
}
