// The ranges of the axes of a chart: of all points or of what is seen in a range of x, with or without outliers.

const PADDING = 0.05;
// Around a constant, as a share of it.
const CONSTANT_ROOM = 0.1;
// Values outside these quantiles are outliers.
const LOW = 0.02;
const HIGH = 0.98;
// The least quotient of the ends of a logarithmic axis of which one end is fixed.
const LEAST_RATIO = 10;

/** The range of x of all lines, values that are not finite included; `room` is around a single point; null without. */
export function findXRange(lines, room = 0.5) {
  let low = Infinity;
  let high = -Infinity;
  for (const { x } of lines) {
    for (const at of [x[0], x[x.length - 1]]) {
      if (at < low) low = at;
      if (at > high) high = at;
    }
  }
  if (!(low <= high)) return null;
  return high > low ? [low, high] : [low - room, high + room];
}

/** The range of y: the ends that `range` fixes, and those of the paths of the lines; null without points. */
export function findYRange(lines, { log, range, ignoreOutliers }) {
  // A logarithmic axis has no place for an end of 0 or less.
  const fixed = (range ?? [null, null]).map((end) => (log && end <= 0 ? null : end));
  if (!fixed.includes(null)) return fixed;
  const found = measure(collect(lines, log), log, ignoreOutliers);
  return found && complete(fixed, found, log);
}

/** The end that is not fixed is as found, unless that is on the other side of the fixed one. */
function complete([low, high], found, log) {
  if (low === null && high === null) return found;
  if (log && low === null) return [Math.min(found[0], high / LEAST_RATIO), high];
  if (log) return [low, Math.max(found[1], low * LEAST_RATIO)];
  const room = Math.max(found[1] - found[0], Math.abs(low ?? high) * CONSTANT_ROOM);
  if (low === null) return [found[0] < high ? found[0] : high - room, high];
  return [low, found[1] > low ? found[1] : low + room];
}

function measure(values, log, ignoreOutliers) {
  if (!values.length) return null;
  const [low, high] = ignoreOutliers ? findQuantiles(values) : findEnds(values);
  if (log)
    return low === high
      ? [low / 2, high * 2]
      : [low, high].map((end, index) => end * (high / low) ** (index ? PADDING : -PADDING));
  if (low === high)
    return low === 0 ? [-1, 1] : [low - Math.abs(low) * CONSTANT_ROOM, high + Math.abs(high) * CONSTANT_ROOM];
  return [low - (high - low) * PADDING, high + (high - low) * PADDING];
}

function collect(lines, log) {
  const values = [];
  for (const { path } of lines) {
    for (const value of path.y) if (Number.isFinite(value) && (!log || value > 0)) values.push(value);
  }
  return values;
}

function findEnds(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function findQuantiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return [at(LOW), at(HIGH)];
}

/** The places [begin, end) of the values of `x`, which ascends, within `range`. */
export const findWithin = (x, [low, high]) => [findPlace(x, low, false), findPlace(x, high, true)];

/** The first place of a value at or above `value`, or, with `isAfter`, above it. */
export function findPlace(x, value, isAfter = false) {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < value || (isAfter && x[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place of the value nearest to `value`, -1 without values. */
export function findNearest(x, value) {
  const place = findPlace(x, value);
  if (place === 0) return x.length ? 0 : -1;
  if (place === x.length) return place - 1;
  return value - x[place - 1] <= x[place] - value ? place - 1 : place;
}

/** The value `step` distinct values of `x` after the one nearest to `from`, or, if that is null, after all of them. */
export function stepAlong(x, from, step) {
  const distinct = x.filter((at, index) => index === 0 || at !== x[index - 1]);
  const place = from === null ? distinct.length : findNearest(distinct, from);
  return distinct[Math.min(distinct.length - 1, Math.max(0, place + step))];
}
