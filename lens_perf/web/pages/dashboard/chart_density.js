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
  const measured = lines.map((line) => ({ line, density: measureDensity(line, xRange) }));
  const most = Math.min(MOST, Math.max(0, ...measured.map(({ density }) => density)));
  const mostOfRun = new Map();
  for (const { line, density } of measured) mostOfRun.set(line.run, Math.max(density, mostOfRun.get(line.run) ?? 0));
  return measured.map(({ line, density }) => ({
    ...line,
    isSparse: density > 0 && (density * FACTOR <= mostOfRun.get(line.run) || density * FACTOR_OF_OTHERS <= most),
  }));
}

/** The points that the line would have if it were as long as the x axis. */
function measureDensity({ x }, xRange) {
  const [first, after] = findWithin(x, xRange);
  const count = after - first;
  if (count < 2) return count;
  const share = (x[after - 1] - x[first]) / (xRange[1] - xRange[0]);
  return count / share;
}
