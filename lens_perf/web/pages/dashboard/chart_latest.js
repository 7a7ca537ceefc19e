// The points of a line in the order of training. No DOM.

import { AXES } from "./view_state.js";

/**
 * The places of the points of `line` from the earliest to the latest. Along a metric, they are sorted by iteration and
 * then by time; points without an iteration come first.
 */
export const orderByTraining = (line, axis) => [...line.x.keys()].sort(makeOrder(line, axis));

/** The place of the latest point of `line` whose place `isWanted` accepts; -1 without any. */
export function findLatest(line, axis, isWanted) {
  const order = makeOrder(line, axis);
  let latest = -1;
  for (const place of line.x.keys()) if (isWanted(place) && (latest < 0 || order(place, latest) > 0)) latest = place;
  return latest;
}

/** The function that compares two places of `line`. */
const makeOrder = ({ iterations, times }, axis) =>
  // A metric may fall.
  AXES.includes(axis)
    ? (one, other) => one - other
    : (one, other) => compare(iterations, one, other) || compare(times, one, other) || one - other;

// Two infinite ranks differ by NaN.
const compare = (values, one, other) => rank(values[one]) - rank(values[other]) || 0;
const rank = (value) => (Number.isFinite(value) ? value : -Infinity);
