// Which lines of a chart are sparse beside the others, such as a validation loss beside the training loss. No DOM.

import { findWithin } from "./chart_ranges.js";

// A line is sparse if another line has so many times its points on the same length of the x axis: one of the same run,
// which has the same colour, or one of another run.
const FACTOR = 2;
const FACTOR_OF_OTHERS = 8;
// More points look alike.
const MOST = 2000;

/** The lines, each with `isSparse`; `xRange` is what is shown of the x axis. */
export function markSparse(lines, xRange) {
  const measured = lines.map((line) => ({ line, ...measure(line, xRange) }));
  const ofRuns = new Map(measured.map(({ line }) => [line.run, []]));
  for (const each of measured) ofRuns.get(each.line.run).push(each);
  const densestOfRun = new Map([...ofRuns.values()].flatMap((group) => [...findDensest(group)]));
  const densest = findDensest(measured);
  return measured.map((each) => ({
    ...each.line,
    isSparse:
      each.density * FACTOR <= densestOfRun.get(each) ||
      each.density * FACTOR_OF_OTHERS <= Math.min(MOST, densest.get(each)),
  }));
}

/**
 * For each of `measured`, the greatest density of those with more points: a few points close to each other are dense,
 * but hide nothing.
 */
function findDensest(measured) {
  const found = new Map();
  let [most, mostBefore, count] = [0, 0, Infinity];
  for (const each of measured.toSorted((one, other) => other.count - one.count)) {
    if (each.count < count) [mostBefore, count] = [most, each.count];
    found.set(each, mostBefore);
    most = Math.max(most, each.density);
  }
  return found;
}

/** The points shown of a line, and how many it would have if it were as long as the x axis; one if it has none. */
function measure({ x }, xRange) {
  const [first, after] = findWithin(x, xRange);
  const count = after - first;
  const share = count > 1 ? (x[after - 1] - x[first]) / (xRange[1] - xRange[0]) : 0;
  return { count, density: share > 0 ? (count - 1) / share : Math.max(1, count) };
}
