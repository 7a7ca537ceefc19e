// The points of a line in the order of training. No DOM.

// The axes along which all lines are in this order.
const ORDERED_AXES = ["iteration", "time", "relative_time"];

/**
 * The places of the points of `line` from the earliest to the latest. Along a metric, which may fall, they are sorted
 * by iteration and then by time; points without an iteration come first.
 */
export function orderByTraining(line, axis) {
  const places = [...line.x.keys()];
  if (ORDERED_AXES.includes(axis)) return places;
  return places.sort(
    (one, other) => compare(line.iterations, one, other) || compare(line.times, one, other) || one - other,
  );
}

// Two infinite ranks differ by NaN.
const compare = (values, one, other) => rank(values[one]) - rank(values[other]) || 0;
const rank = (value) => (Number.isFinite(value) ? value : -Infinity);
