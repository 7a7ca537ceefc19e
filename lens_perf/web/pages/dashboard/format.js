// Numbers, times and spans as text. No DOM.

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];
// Made once: toLocaleString makes a formatter in each call, and a tooltip has many values in each frame.
export const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 10 });
// What a Date can hold; PostgreSQL's timestamps go 18,000 years further.
const MOST_TIME = 8.64e15;

/** A span of seconds, in its two largest units. */
export function span(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return "unknown";
  if (seconds > 0 && seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${number(seconds)} s`;
  let rest = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count || parts.length) parts.push(count ? `${number(count)} ${unit}` : "");
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ");
}

/** How long ago a time was, in milliseconds since 1970. */
export function age(timestamp) {
  if (timestamp === null) return "at an unknown time";
  const seconds = (Date.now() - timestamp) / 1000;
  if (seconds < 5) return "just now";
  const largest = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${number(Math.floor(seconds / largest[1]))} ${largest[0]} ago`;
}

/** A number with four significant digits. */
export function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value)) return GROUPED.format(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-3 ? value.toExponential(3) : GROUPED.format(Number(value.toPrecision(4)));
}

/** A share as a percentage. */
export const percent = (share) =>
  share === null ? "unknown" : `${(share * 100).toFixed(share > 0.995 && share < 1 ? 2 : 1)} %`;

const pad = (value, length = 2) => String(value).padStart(length, "0");

/** The month of a date in local time, as in ISO 8601; writeDay and writeTime are alike. */
export const writeMonth = (date) => `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}`;
export const writeDay = (date) => `${writeMonth(date)}-${pad(date.getDate())}`;
export const writeTime = (date) => `${pad(date.getHours())}:${pad(date.getMinutes())}`;
export const writeSeconds = (date) => `${writeTime(date)}:${pad(date.getSeconds())}`;
export const writeMilliseconds = (date) => `${writeSeconds(date)}.${pad(date.getMilliseconds(), 3)}`;

/** A time of day, with the date if it is not today's. */
export function moment(timestamp) {
  const isToday = new Date(timestamp).toDateString() === new Date().toDateString();
  return formatTime(timestamp, isToday ? writeTime : (date) => `${writeDay(date)} ${writeTime(date)}`);
}

/** A time as `write` writes its date, by default to the second; a number after the last year of the calendar. */
export const formatTime = (timestamp, write = (date) => `${writeDay(date)} ${writeSeconds(date)}`) =>
  Math.abs(timestamp) <= MOST_TIME ? write(new Date(timestamp)) : `${GROUPED.format(timestamp)} ms since 1970`;
