// The view: what is shown, and its form in the address, so that a view can be shared and Back works.

import { PROGRESS, VALUES } from "./run_columns.js";

const [PROGRESS_NAMES, VALUE_NAMES] = [PROGRESS, VALUES].map((columns) => columns.map(({ name }) => name));

/** The axes that are not metrics. */
export const AXES = ["iteration", "time", "relative_time"];

export const DEFAULTS = {
  workloads: [], // {cluster, uid}, in the order in which they were selected
  hidden: [], // keys of the runs whose lines are hidden
  attempts: {}, // by key of a run, the numbers of the attempts that are shown apart; absent: all together
  metrics: [], // the charts in order, each a list of metric names; none: the page chooses
  pins: [], // names of the metrics that come first in the panel
  axis: "iteration", // or "time", "relative_time", or the name of a metric
  xRange: null, // [from, to] on that axis
  yZooms: {}, // by title of a chart, the [from, to] of its y axis that was zoomed in
  yScale: { log: false, range: null, ignoreOutliers: false }, // of the charts without a scale of their own:
  yLogs: {}, // by title of a chart, whether its y axis is logarithmic
  yRanges: {}, // by title of a chart, the fixed [from, to] of its y axis; here and in yScale, one of them may be null
  smoothing: { kind: "ema", weight: 0 },
  align: null, // "restart": every attempt begins at 0
  layout: { columns: null, height: null }, // null: by the width of the window
  collapsed: [], // groups of metrics that are folded
  // sort: a column's name, "-" before it for descending. Of the values of a metric, only the last is shown at first:
  // with the least and the greatest, a view of ten charts would have 38 columns.
  table: { sort: null, isCollapsed: false, progress: PROGRESS_NAMES, values: ["last"] },
  embed: false, // charts alone, for a page inside another
};

const SMOOTHING_KINDS = ["ema", "gaussian", "average"];
const MOST_SMOOTHING = 0.999;
export const LEAST_HEIGHT = 120;
const MOST_HEIGHT = 2000;

export const keyOf = ({ cluster, uid }) => `${cluster}/${uid}`;

/** The key of the workload that a part of an answer of the API is about. */
export const keyIn = ({ cluster, workload_uid: uid }) => keyOf({ cluster, uid });

/** Return what changes in `view` when `workloads` are put into it, or taken out. */
export function selectWorkloads(view, workloads, isSelected) {
  const others = view.workloads.filter((each) => !workloads.some((workload) => isSame(each, workload)));
  const added = workloads.filter((workload) => !view.workloads.some((each) => isSame(each, workload)));
  const chosen = isSelected ? [...view.workloads, ...added] : others;
  // Runs are compared in the same range of x; the values of another run may be in another range.
  return { workloads: chosen, xRange: chosen.length ? view.xRange : null, yZooms: {} };
}

/** The title of a chart of the metrics `names`. */
export const titleOf = (names) => names.join(", ");

/** Return the scale of the y axis of a chart. */
export const scaleOf = ({ yScale, yLogs, yRanges, yZooms }, title) => ({
  ...yScale,
  log: chosenFor(yLogs, title) ?? yScale.log,
  range: chosenFor(yZooms, title) ?? rangeOf({ yScale, yRanges }, title),
});

/** Return the fixed range of the y axis of a chart, null without; an end that it does not fix is that of all charts. */
export function rangeOf({ yScale, yRanges }, title) {
  const own = chosenFor(yRanges, title);
  const range = own?.map((end, index) => end ?? yScale.range?.[index] ?? null) ?? yScale.range;
  return !range || isAscending(range) ? range : own;
}

/** Whether the ends of a range are in order; one that is null may be anywhere. */
export const isAscending = ([low, high]) => low === null || high === null || low < high;

/** What is chosen for the chart `title`, null if nothing is. A metric may be called "constructor". */
export const chosenFor = (byTitle, title) => (Object.hasOwn(byTitle, title) ? byTitle[title] : null);

/** Return whether two workloads are the same. */
export const isSame = (one, other) => one.cluster === other.cluster && one.uid === other.uid;

/** Return the view that the text after # of an address describes; what is not understood is left at its default. */
export function parseView(text) {
  const given = new URLSearchParams(text);
  const weight = Number(given.get("smooth")) || 0;
  const kind = given.get("smoother");
  return {
    workloads: given
      .getAll("w")
      .filter((key) => key.includes("/"))
      .map(splitKey),
    hidden: given.getAll("hide"),
    attempts: parseByName(given.getAll("attempts"), parseNumbers),
    metrics: parseCharts(given),
    pins: given.getAll("pin"),
    axis: given.get("axis") || DEFAULTS.axis,
    xRange: parseRange(given.get("range")),
    yZooms: parseByName(given.getAll("zoom"), parseRange),
    yScale: {
      log: given.getAll("log").includes("1"),
      range: given.getAll("y").map(parseOpenRange).find(Boolean) ?? null,
      ignoreOutliers: given.get("outliers") === "0",
    },
    yLogs: parseByName(given.getAll("log"), parseSwitch),
    yRanges: parseByName(given.getAll("y"), parseOpenRange),
    smoothing: {
      kind: SMOOTHING_KINDS.includes(kind) ? kind : "ema",
      weight: Math.min(MOST_SMOOTHING, Math.max(0, weight)),
    },
    align: given.get("align") === "restart" ? "restart" : null,
    layout: {
      columns: parseCount(given.get("columns"), 1, 4),
      height: parseCount(given.get("height"), LEAST_HEIGHT, MOST_HEIGHT),
    },
    collapsed: given.getAll("fold"),
    table: parseTable(given),
    embed: given.get("embed") === "1",
  };
}

/** Return the text after # that describes `view`; defaults are left out. */
export function formatView(view) {
  const text = new URLSearchParams();
  const setUnless = (name, value, isDefault) => {
    if (!isDefault) text.set(name, String(value));
  };
  for (const workload of view.workloads) text.append("w", keyOf(workload));
  for (const key of view.hidden) text.append("hide", key);
  for (const [key, numbers] of Object.entries(view.attempts)) text.append("attempts", `${numbers.join(",")}@${key}`);
  for (const names of view.metrics) names.forEach((name, index) => text.append(index ? "with" : "m", name));
  for (const name of view.pins) text.append("pin", name);
  setUnless("axis", view.axis, view.axis === DEFAULTS.axis);
  setUnless("range", view.xRange && roundRange(view.xRange, view.axis).join(".."), !view.xRange);
  for (const [title, ends] of Object.entries(view.yZooms)) text.append("zoom", `${shorten(ends).join("..")}@${title}`);
  setUnless("log", 1, !view.yScale.log);
  for (const [title, log] of Object.entries(view.yLogs)) text.append("log", `${Number(log)}@${title}`);
  setUnless("y", view.yScale.range?.join(".."), !view.yScale.range);
  for (const [title, ends] of Object.entries(view.yRanges)) text.append("y", `${ends.join("..")}@${title}`);
  setUnless("outliers", 0, !view.yScale.ignoreOutliers);
  setUnless("smooth", view.smoothing.weight, !view.smoothing.weight);
  setUnless("smoother", view.smoothing.kind, view.smoothing.kind === "ema");
  setUnless("align", view.align, !view.align);
  setUnless("columns", view.layout.columns, !view.layout.columns);
  setUnless("height", view.layout.height, !view.layout.height);
  for (const group of view.collapsed) text.append("fold", group);
  setUnless("sort", view.table.sort, !view.table.sort);
  setUnless("table", 0, !view.table.isCollapsed);
  for (const name of ["progress", "values"])
    setUnless(name, view.table[name], String(view.table[name]) === String(DEFAULTS.table[name]));
  setUnless("embed", 1, !view.embed);
  return String(text);
}

/** Return the view that the address describes. */
export const readView = () => parseView(location.hash.slice(1));

/** Put `view` into the address: as a new entry of the history, or, with `replace`, instead of the current one. */
export function writeView(view, { replace = false } = {}) {
  const address = `#${formatView(view)}`;
  if (address === (location.hash || "#")) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
}

function splitKey(key) {
  const cut = key.indexOf("/");
  return { cluster: key.slice(0, cut), uid: key.slice(cut + 1) };
}

/** By name, what `parse` returns for the text before it in `<text>@<name>`, unless that is null. */
function parseByName(texts, parse) {
  const entries = texts
    .map((text) => text.split(/@(.*)/s))
    .filter(([, name]) => name !== undefined)
    .map(([text, name]) => [name, parse(text)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

const parseNumbers = (text) =>
  text
    .split(",")
    .filter((part) => /^\d+$/.test(part))
    .map(Number);

const parseSwitch = (text) => (["0", "1"].includes(text) ? text === "1" : null);

/** `m` begins a chart, `with` adds a metric to it. */
function parseCharts(given) {
  const charts = [];
  for (const [name, value] of given) {
    if (name === "m") charts.push([value]);
    else if (name === "with" && charts.length) charts.at(-1).push(value);
  }
  return charts;
}

function parseTable(given) {
  const sort = given.get("sort");
  // A link that sorts by a value may be older than the choice of columns, when all values were shown.
  const values = VALUE_NAMES.filter((name) => DEFAULTS.table.values.includes(name) || sort?.match(`^-?${name}:`));
  return {
    sort,
    isCollapsed: given.get("table") === "0",
    progress: parseNames(given.get("progress"), PROGRESS_NAMES) ?? DEFAULTS.table.progress,
    values: parseNames(given.get("values"), VALUE_NAMES) ?? values,
  };
}

/** Those of `known` that a list names, in their order; null if it names others only, or for no list. */
function parseNames(text, known) {
  const named = known.filter((name) => text?.split(",").includes(name));
  return named.length || text === "" ? named : null;
}

function parseRange(text) {
  const range = parseOpenRange(text);
  return range?.includes(null) ? null : range;
}

/** A range of which one end may be left out, null. */
function parseOpenRange(text) {
  const ends = (text ?? "").split("..").map((end) => (end.trim() === "" ? null : Number(end)));
  const isValid = ends.length === 2 && ends.some((end) => end !== null) && isAscending(ends);
  return isValid && ends.every((end) => end === null || Number.isFinite(end)) ? ends : null;
}

/** The ends of a range with as many digits as a pointer can choose, however far they are from 0. */
function shorten([low, high]) {
  const step = 10 ** (Math.floor(Math.log10(high - low)) - 4);
  return [low, high].map((end) => Number((Math.round(end / step) * step).toPrecision(12)));
}

/** A range of x as the address has it. Iterations and milliseconds are whole: rounded outward, they stay apart. */
export const roundRange = ([low, high], axis) =>
  AXES.includes(axis) ? [Math.floor(low), Math.ceil(high)] : shorten([low, high]);

function parseCount(text, least, most) {
  const count = Number(text);
  return Number.isInteger(count) && count >= least && count <= most ? count : null;
}
