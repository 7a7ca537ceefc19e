// Smooths lines by distance along x, so that the curve depends on the data and on the range shown, not on which points
// a sample kept.

export const KINDS = { none: "None", ema: "Time-weighted EMA", gaussian: "Gaussian", average: "Running average" };

// Weights are defined on a range of this many units, as in W&B:
// https://docs.wandb.ai/guides/app/features/panels/line-plot/smoothing
const UNITS = 1000;
const GREATEST_WEIGHT = 0.999;
// A bucket of M4 holds the first, last, least and greatest point, and one that is not finite; the first and the last
// bucket of a range, also the point next to the range.
const MOST_SAMPLED = 6;

/** The distance, as a share of the range, over which a weight of 0 to 1 smooths. */
export function distanceOf(weight) {
  const base = Math.min(Math.sqrt(Math.max(0, weight)), GREATEST_WEIGHT);
  return base > 0 ? -1 / Math.log(base) / UNITS : 0;
}

/**
 * Return `y` smoothed along `x`, which ascends, for a chart whose range is `extent` long; NaN where `y` is not finite.
 * The line between points counts, not the points.
 */
export function smooth(x, y, { kind, weight }, extent) {
  const distance = distanceOf(weight) * extent;
  const kept = [];
  for (let index = 0; index < y.length; index += 1) if (Number.isFinite(y[index])) kept.push(index);
  if (kind === "none" || !(distance > 0) || kept.length < 2) return Float64Array.from(y, finite);
  const line = { x: Float64Array.from(kept, (index) => x[index]), y: Float64Array.from(kept, (index) => y[index]) };
  const smoothed = kind === "ema" ? average(line, distance) : box(line, distance, kind === "gaussian" ? 3 : 1);
  const result = new Float64Array(y.length).fill(NaN);
  kept.forEach((index, place) => {
    result[index] = smoothed[place];
  });
  return result;
}

/** The exponential moving average of the line, without the pull of its beginning. */
function average({ x, y }, distance) {
  const result = new Float64Array(y.length);
  result[0] = y[0];
  let sum = 0;
  let total = 0;
  for (let index = 1; index < y.length; index += 1) {
    const length = (x[index] - x[index - 1]) / distance;
    const rest = Math.exp(-length);
    // How far the average of a piece of the line is from its end, as a share of its change: half of it if it is short.
    const lag = length > 0 ? (1 - rest) / length - rest : 0;
    sum = sum * rest + y[index] * (1 - rest) - (y[index] - y[index - 1]) * lag;
    total = total * rest + (1 - rest);
    result[index] = total > 0 ? sum / total : y[index];
  }
  return result;
}

/** The average of the line over `distance` to both sides, `passes` times: three passes are close to a Gaussian. */
function box({ x, y }, distance, passes) {
  let values = y;
  for (let pass = 0; pass < passes; pass += 1) values = boxOnce(x, values, distance);
  return values;
}

function boxOnce(x, y, distance) {
  const last = x.length - 1;
  const areas = new Float64Array(x.length);
  for (let index = 1; index <= last; index += 1) {
    areas[index] = areas[index - 1] + ((y[index] + y[index - 1]) / 2) * (x[index] - x[index - 1]);
  }
  const area = makeArea(x, y, areas);
  const area2 = makeArea(x, y, areas);
  return y.map((value, index) => {
    // Less to both sides near an end, so that the average stays centred there.
    const half = Math.min(distance, x[index] - x[0], x[last] - x[index]);
    return half > 0 ? (area2(x[index] + half) - area(x[index] - half)) / (2 * half) : value;
  });
}

/** A function that returns the area under the line from its beginning to a place; the places hardly ever go back. */
function makeArea(x, y, areas) {
  let index = 0;
  return (at) => {
    while (index > 0 && x[index] > at) index -= 1;
    while (index < x.length - 2 && x[index + 1] <= at) index += 1;
    const width = x[index + 1] - x[index];
    const share = width > 0 ? (at - x[index]) / width : 0;
    const height = y[index] + ((y[index + 1] - y[index]) * share) / 2;
    return areas[index] + height * share * width;
  };
}

/**
 * Return the places of the points to smooth: of buckets `width` wide along `axis`, which a sample was chosen by, the
 * first and the last. The least and the greatest were chosen for their values, and would pull the curve towards spikes.
 */
export function pickUnbiased(axis, width) {
  const places = [];
  for (let begin = 0; begin < axis.length;) {
    const bucket = Math.floor(axis[begin] / width);
    let end = begin + 1;
    while (end < axis.length && Math.floor(axis[end] / width) === bucket) end += 1;
    if (!(width > 0) || end - begin > MOST_SAMPLED) for (let index = begin; index < end; index += 1) places.push(index);
    else if (end - begin === 1) places.push(begin);
    else places.push(begin, end - 1);
    begin = end;
  }
  return places;
}

const finite = (value) => (Number.isFinite(value) ? value : NaN);
