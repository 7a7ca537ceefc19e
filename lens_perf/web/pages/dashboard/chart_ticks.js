// Where the ticks of axes are that do not have uPlot's own: spans of time, and short logarithmic axes. No DOM.

// Distances between ticks of spans of time, in milliseconds.
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
export const SPANS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((count) => count * DAY),
];

// If the last value is less than this many times the first, there are too few digits times powers of ten between them.
const SHORT = 3;

/** Whether a logarithmic axis needs evenly spaced ticks. */
export const isShort = ([first, last]) => last < SHORT * first;

/** The multiples of `step` from `first` to `last`. */
export function listMultiples(first, last, step) {
  const ticks = [];
  // Each is computed on its own, because adding up steps would add up their errors.
  for (let number = Math.ceil(first / step); number * step <= last; number += 1) ticks.push(number * step);
  return ticks;
}
