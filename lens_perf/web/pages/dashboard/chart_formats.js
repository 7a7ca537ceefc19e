// Writes the numbers of charts: ticks with as many digits as distinguish them, values, and spans of time.

import { GROUPED, formatTime, writeDay, writeMilliseconds, writeMonth, writeSeconds, writeTime } from "./format.js";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

/** The labels of the ticks of an axis, which are evenly spaced or, on a logarithmic axis, powers. */
export function formatTicks(ticks) {
  const known = ticks.filter((tick) => tick !== null && tick !== undefined);
  const step = Math.min(...known.slice(1).map((tick, index) => Math.abs(tick - known[index])));
  return ticks.map((tick) => (tick === null || tick === undefined ? "" : formatTick(tick, step)));
}

function formatTick(tick, step) {
  const size = Math.abs(tick);
  if (size === 0) return "0";
  if (size >= 1e9 || (size < 1e-3 && !(step >= 1e-4))) return shorten(tick, step);
  if (!(step > 0) || step === Infinity) return GROUPED.format(Number(tick.toPrecision(6)));
  const digits = countDigits(step);
  const text = tick.toLocaleString("en", { maximumFractionDigits: Math.min(20, digits) });
  return text === "-0" ? "0" : text;
}

// How the ticks of a time axis are written, by the least distance between them in milliseconds.
const [SECOND, MINUTE, DAY, MONTH] = [1000, 60_000, 86_400_000, 28 * 86_400_000];
const TIME_TICKS = [
  [MONTH, writeMonth],
  [DAY, writeDay],
  [MINUTE, writeTime],
  [SECOND, writeSeconds],
  [0, writeMilliseconds],
];

/** The labels of the ticks of a time axis, `step` apart; below times of day, the first one of each day has the date. */
export function formatTimeTicks(ticks, step) {
  const [, write] = TIME_TICKS.find(([least]) => step >= least);
  let day = step >= DAY ? null : "";
  return ticks.map((tick) => {
    if (tick === null || tick === undefined) return "";
    const before = day;
    if (day !== null) day = formatTime(tick, writeDay);
    return formatTime(tick, write) + (day === before ? "" : `\n${day}`);
  });
}

/** The decimal places that steps of this size need: 2 for 0.25. */
function countDigits(step) {
  const least = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const isWhole = (digits) => Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-6;
  return isWhole(least) ? least : least + 1;
}

/** A very large or small number, with as many digits as distinguish it from one that is `step` away. */
function shorten(tick, step) {
  const unit = 10 ** Math.floor(Math.log10(Math.abs(tick)));
  const digits = step > 0 && step < Infinity ? countDigits(step / unit) : 3;
  const [mantissa, exponent] = tick.toExponential(Math.min(15, digits)).split("e");
  return `${mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa}e${Number(exponent)}`;
}

/** A value as a tooltip shows it: five digits, more for large whole numbers. */
export function formatValue(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return GROUPED.format(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(4);
  return GROUPED.format(Number(value.toPrecision(5)));
}

/** A span of milliseconds in its two largest units. */
export function formatSpan(milliseconds) {
  const sign = milliseconds < 0 ? "-" : "";
  let rest = Math.round(Math.abs(milliseconds));
  if (rest < 1000) return `${sign}${rest ? `${rest} ms` : "0"}`;
  if (rest >= 10_000) rest = Math.round(rest / 1000) * 1000;
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = unit === "s" ? Number((rest / size).toFixed(1)) : Math.floor(rest / size);
    rest -= Math.floor(count) * size;
    if (count) parts.push(`${GROUPED.format(count)} ${unit}`);
    if (parts.length === 2 || (parts.length === 1 && !count)) break;
  }
  return sign + parts.join(" ");
}

/** The words for the axis `axis`. */
export const nameAxis = (axis) => (axis === "relative_time" ? "relative time" : axis);

/** A position on the axis `axis`: "iteration", "time", "relative_time" or the name of a metric. */
export function formatPosition(axis, position) {
  if (axis === "time") return formatTime(position);
  if (axis === "relative_time") return formatSpan(position);
  return axis === "iteration" ? GROUPED.format(Math.round(position)) : formatValue(position);
}
