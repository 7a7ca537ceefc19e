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
  return measured.map((one) => ({ ...one.line, isSparse: measured.some((other) => isDenser(other, one)) }));
}

/** Whether `other` would hide `one`. A few points close to each other are dense, but hide nothing. */
function isDenser(other, one) {
  if (one.count === 0 || other.count <= one.count) return false;
  if (other.line.run === one.line.run) return one.density * FACTOR <= other.density;
  return one.density * FACTOR_OF_OTHERS <= Math.min(MOST, other.density);
}

/** The points shown of a line, and how many it would have if it were as long as the x axis. */
function measure({ x }, xRange) {
  const [first, after] = findWithin(x, xRange);
  const count = after - first;
  const share = count > 1 ? (x[after - 1] - x[first]) / (xRange[1] - xRange[0]) : 0;
  return { count, density: share > 0 ? (count - 1) / share : count };
}
