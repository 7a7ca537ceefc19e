// Chooses among metrics: by search, by groups of their names, and those that are shown first.

// The metrics that matter most in a training run, in order of importance. Names are those that `lens-perf import`
// writes and those that frameworks log.
const FIRST = [
  { pattern: /^(?:train[\W_])?(?:lm[\W_])?loss$/i, otherwise: /loss|perplexity|(?:^|\W|_)ppl(?:$|\W|_)|nll/i },
  { pattern: /^(?:train[\W_])?(?:learning_rate|lr)$/i, otherwise: /learning.?rate|(?:^|[^a-z])lr(?:[^a-z]|$)/i },
  { pattern: /^(?:train[\W_])?grad(?:ient)?_norm$/i, otherwise: /grad(?:ient)?s?.?norm/i },
  {
    pattern: /^tokens_per_second_per_gpu$/i,
    otherwise: /tokens?.{0,9}(?:per|\/).{0,9}s(?:ec)|tflops|throughput|samples.{0,5}(?:per|\/).?s/i,
  },
];
// These words make of a loss its scale or its duration, or one that is only added to it.
const NO_LOSS = /scale|time|count|weight|num|coef|_ms$|(?:^|\W|_)z_|aux|balanc|router|mtp/i;
const TRAINING = /(?:^|[\W_])train(?:ing)?(?=[\W_])/i;
const EVALUATIONS = ["val", "validation", "valid", "eval", "test"];
const MOST_FALLBACK = 2;
const MOST_LOSSES = 6;
const INTERNAL = "Internal";
const UNGROUPED = "Other";

/** Whether a metric is what a tracker keeps for itself, such as `_runtime`. */
const isInternal = (name) => name.startsWith("_");

/**
 * The charts to show first, each a list of names; `counts` maps names to numbers of points, null if unknown. A run of
 * `namesOfRuns` that does not have the first loss has a chart of its own loss.
 */
export function chooseFirstMetrics(counts, namesOfRuns = []) {
  const names = [...counts]
    .filter(([name, count]) => count !== 0 && !isInternal(name))
    .map(([name]) => name)
    .sort();
  const charts = [];
  FIRST.forEach(({ pattern, otherwise }, place) => {
    const fitting = names.filter((name) => place > 0 || !NO_LOSS.test(name));
    const found = pickFirst(fitting, pattern, counts) ?? pickFirst(fitting, otherwise, counts);
    if (found && !charts.flat().includes(found)) charts.push(place === 0 ? addEvaluation(found, names) : [found]);
    if (place === 0) addOwnLosses(charts, namesOfRuns, counts);
  });
  return charts.length ? charts : names.slice(0, MOST_FALLBACK).map((name) => [name]);
}

/**
 * Add charts of the losses of runs that have none of the losses in `charts`, each with the evaluation of its name; also
 * of those without a finite value.
 */
function addOwnLosses(charts, namesOfRuns, counts) {
  const [{ pattern, otherwise }] = FIRST;
  for (const ofRun of namesOfRuns) {
    if (charts.length >= MOST_LOSSES || ofRun.some((name) => charts.some(([first]) => first === name))) continue;
    const own = ofRun.filter((name) => !isInternal(name) && !NO_LOSS.test(name));
    const found = pickFirst(own, pattern, counts) ?? pickFirst(own, otherwise, counts);
    if (found) charts.push(addEvaluation(found, ofRun));
  }
}

/** The name with the most points among those that match, a shorter one first if as many; evaluations come last. */
function pickFirst(names, pattern, counts) {
  const isEvaluation = (name) =>
    EVALUATIONS.some((word) => new RegExp(`(?:^|[\\W_])${word}(?:[\\W_]|$)`, "i").test(name));
  const fitting = names.filter((name) => pattern.test(name));
  const count = (name) => counts.get(name) ?? 0;
  fitting.sort(
    (one, other) =>
      isEvaluation(one) - isEvaluation(other) ||
      count(other) - count(one) ||
      one.length - other.length ||
      (one < other ? -1 : 1),
  );
  return fitting[0];
}

/** The validation loss belongs into the chart of the training loss. */
function addEvaluation(name, names) {
  const plain = name.replace(TRAINING, (found) => found.replace(/train(?:ing)?/i, "")).replace(/^[\W_]+/, "");
  const wanted = EVALUATIONS.flatMap((word) => [
    ...(TRAINING.test(name) ? [name.replace(/train(?:ing)?/i, word)] : []),
    `${word}/${plain}`,
    `${word}_${plain}`,
  ]);
  const found = wanted.find((each) => names.includes(each));
  return found ? [name, found] : [name];
}

/**
 * Return a function that says whether a name matches `search`: `/regex/`, or words that must all be in it, in upper or
 * lower case. Throws SyntaxError for a regular expression that is none.
 */
export function makeFilter(search) {
  const text = search.trim();
  if (text.length > 1 && text.startsWith("/")) {
    const expression = new RegExp(text.slice(1, text.length > 2 && text.endsWith("/") ? -1 : undefined), "i");
    return (name) => expression.test(name);
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (name) => {
    const lower = name.toLowerCase();
    return words.every((word) => lower.includes(word));
  };
}

/** The group of a name: what is before its first slash, else before its first dot. */
function groupOf(name) {
  if (isInternal(name)) return INTERNAL;
  const cut = name.indexOf("/") > 0 ? name.indexOf("/") : name.indexOf(".");
  return cut > 0 ? name.slice(0, cut) : UNGROUPED;
}

/** What a name has in common with those of its `group`, with the slash or dot after it; "" if nothing, or all of it. */
export function prefixOf(name, group) {
  const { length } = group;
  return name.length > length + 1 && name.startsWith(group) && "/.".includes(name[length])
    ? name.slice(0, length + 1)
    : "";
}

/** The groups of `names`, each `{group, names}`, by name; those without a prefix and the internal ones last. */
export function groupMetrics(names) {
  const groups = new Map();
  for (const name of names) {
    const group = groupOf(name);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(name);
  }
  const rank = (group) => (group === INTERNAL ? 2 : group === UNGROUPED ? 1 : 0);
  return [...groups]
    .map(([group, found]) => ({ group, names: found.sort((one, other) => compare(one, other)) }))
    .sort((one, other) => rank(one.group) - rank(other.group) || compare(one.group, other.group));
}

// By numbers within names, too: layer2 before layer10.
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const compare = (one, other) => collator.compare(one, other);

/** The charts after one is moved before or after its neighbour; pins come first, in their order. */
export function moveChart(charts, index, by) {
  const place = index + by;
  if (place < 0 || place >= charts.length) return charts;
  const moved = charts.slice();
  moved.splice(place, 0, ...moved.splice(index, 1));
  return moved;
}

/** The charts in the order in which they are drawn: those with a pinned metric first. */
export function orderCharts(charts, pins) {
  return charts
    .map((names, index) => ({ names, index, rank: rankOf(names, pins) }))
    .sort((one, other) => one.rank - other.rank || one.index - other.index)
    .map(({ names }) => names);
}

/** Whether moving one of `charts`, which are in order, changes that: pinned ones stay first, by their pins. */
export const canMove = (charts, pins, index, by) =>
  index + by in charts && rankOf(charts[index + by], pins) === rankOf(charts[index], pins);

function rankOf(names, pins) {
  const places = names.map((name) => pins.indexOf(name)).filter((place) => place >= 0);
  return places.length ? Math.min(...places) : pins.length;
}
