// The columns of the run table: their texts, what they sort by, and the words for the state of a run. No DOM.

import { age, moment, number, percent, span } from "./format.js";

const STATES = { running: "Running", stalled: "Stalled", ended: "Ended", finished: "Finished" };
const NONE = "–";
const NO_WORKLOAD = "No such workload";
const NOT_READ = "The progress cannot be read now";

/** Return which of `runs` are not workloads of their clusters, "" if all are. */
export function describeMissing(runs) {
  const keys = runs.filter(({ exists }) => exists === false).map(({ key }) => key);
  return keys.length ? `${NO_WORKLOAD}: ${keys.join(", ")}` : "";
}

/** Return the words for the state of a run: {text, kind, title}; kind is the class that colours it. */
export function describeState({ progress, state, exists, asOf }) {
  if (exists === false) return { text: NO_WORKLOAD, kind: "trouble", title: "" };
  if (progress === null) return { text: "Loading", kind: "", title: "" };
  if (progress instanceof Error) return { text: "No answer", kind: "trouble", title: progress.message };
  if (state === null)
    return {
      text: "No times",
      kind: "",
      title: "No record has both an iteration and a time: state, pace and ETA are not known.",
    };
  const notFinite = progress.non_finite.map(
    ({ metric_name: name, since_iteration: at }) =>
      `${name} is not finite since ${at === null ? "an unknown iteration" : `iteration ${number(at)}`}`,
  );
  const isLoss = progress.health.reasons.includes("non_finite_loss");
  return {
    text: [
      `${STATES[state]}${isLoss ? ", loss not finite" : notFinite.length ? ", not finite" : ""}`,
      ...(asOf ? [`as of ${moment(asOf)}`] : []),
    ].join(", "),
    kind: notFinite.length ? "trouble" : asOf ? "old" : state,
    title: [`Last record ${age(progress.last_timestamp)}`, ...notFinite, ...(asOf ? [NOT_READ] : [])].join("\n"),
  };
}

const known = (run) => (run.progress && !(run.progress instanceof Error) && run.state !== null ? run.progress : null);
const column = (name, heading, title, describe) => ({ name, heading, title, describe });

// describe returns {text, value, title}: value is what the column sorts by, null if there is none.
const COLUMNS = [
  column("name", "Run", "", (run) => ({
    text: run.name,
    value: run.name.toLowerCase(),
    title: `${run.uid}, cluster ${run.cluster}`,
  })),
  column("state", "State", "", (run) => {
    const words = describeState(run);
    return { ...words, value: words.text };
  }),
  column("iteration", "Iteration", "The last iteration and the target", describeIteration),
  column("eta", "ETA", "Time until the target is reached", describeEta),
  column("pace", "Pace", "Time per iteration, the median of the latest 100", describePace),
  column("restarts", "Restarts", "", describeRestarts),
  column("goodput", "Goodput", "Productive share of the time", (run) => {
    const share = known(run)?.goodput ?? null;
    return { text: share === null ? NONE : percent(share), value: share };
  }),
  column("last", "Last record", "", (run) => {
    const time = known(run)?.last_timestamp ?? null;
    return { text: time === null ? NONE : age(time), value: time, title: time === null ? "" : moment(time) };
  }),
];

/** The columns after the name that can be chosen: those about the progress of a run, and those of each metric. */
export const PROGRESS = COLUMNS.slice(1).map(({ name, heading }) => ({ name, heading }));
export const VALUES = [
  { name: "last", heading: "Last value" },
  { name: "least", heading: "Least value" },
  { name: "greatest", heading: "Greatest value" },
];

/** Return the columns of a table: those of every run that `progress` names, and those in `values` of each metric. */
export function listColumns(metrics, { progress, values }) {
  return [
    ...COLUMNS.filter(({ name }) => name === "name" || progress.includes(name)),
    ...metrics.flatMap((metric) =>
      values.map((which) => ({
        ...column(`${which}:${metric}`, which, `${metric}: ${which} value`, (run) => describeValue(run, metric, which)),
        metric,
      })),
    ),
  ];
}

/** Return the column that `sort` names, with or without "-" before it; undefined if there is none. */
export const findSorted = (columns, sort) => columns.find(({ name }) => name === sort?.replace(/^-/, ""));

/** Return `runs` sorted by the column that `sort` names ("-" before it: descending); runs without a value come last. */
export function sortRuns(runs, columns, sort) {
  const by = findSorted(columns, sort);
  if (!by) return runs;
  const isDescending = sort.startsWith("-");
  const valued = runs.map((run) => ({ run, value: by.describe(run).value ?? null }));
  const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  valued.sort(({ value: one }, { value: other }) => {
    if (one === null || other === null) return (one === null) - (other === null);
    return isDescending ? order(other, one) : order(one, other);
  });
  return valued.map(({ run }) => run);
}

/** Return the sort that follows a click on the heading of `name`: ascending, descending, none. */
export const nextSort = (sort, name) => (sort === name ? `-${name}` : sort === `-${name}` ? null : name);

/** Return the words for an attempt: its name, its iterations, and what of it was discarded. */
export function describeAttempt(attempt) {
  const serial = attempt.serial === null ? "" : `, serial ${attempt.serial}`;
  const { firstIteration: first, lastIteration: last, redoneFrom } = attempt;
  const discarded =
    redoneFrom === null || redoneFrom > last ? "" : `${number(redoneFrom)} to ${number(last)} discarded`;
  return { name: `Attempt ${attempt.number}${serial}`, iterations: `${number(first)} to ${number(last)}`, discarded };
}

/** Return what restarts cost, in a sentence for each number. */
export function describeCost({ restarts, iterations_repeated: redone, seconds_lost_to_restarts: lost }) {
  if (!restarts) return "No restarts";
  const count = `${number(restarts)} ${restarts === 1 ? "restart" : "restarts"}`;
  return `${count}; iterations redone: ${number(redone)}; time lost: ${span(lost)}`;
}

function describeIteration(run) {
  const progress = known(run);
  const current = run.iteration;
  if (current === null) return { text: NONE, value: null };
  if (!progress?.target_iteration) return { text: number(current), value: current, title: "No target" };
  const { target_iteration: target, share_done: share } = progress;
  return { text: `${number(current)} / ${number(target)}`, value: current, share, title: `${percent(share)} done` };
}

function describeEta(run) {
  const progress = known(run);
  if (progress?.state === "finished") return { text: "done", value: 0 };
  if (!progress?.eta) return { text: NONE, value: null };
  if (run.asOf) return { text: NONE, value: null, title: NOT_READ };
  const { seconds, timestamp, earliest, latest, basis } = progress.eta;
  const range = earliest === null || latest === null ? "" : `, between ${moment(earliest)} and ${moment(latest)}`;
  return { text: span(seconds), value: seconds, title: `${moment(timestamp)}${range}\n${basis}` };
}

function describePace(run) {
  const pace = known(run)?.seconds_per_iteration ?? null;
  if (pace === null) return { text: NONE, value: null };
  return {
    text: span(pace.median),
    value: pace.median,
    title: `80 % of intervals: ${span(pace.low)} to ${span(pace.high)}`,
  };
}

function describeRestarts(run) {
  const progress = known(run);
  if (progress === null) return { text: NONE, value: null };
  return { text: number(progress.restarts), value: progress.restarts, title: describeCost(progress) };
}

function describeValue({ summary }, metric, which) {
  const found = (summary?.metrics ?? []).find(({ metric_name: name }) => name === metric);
  const point = found?.[which] ?? null;
  if (which === "last" && found?.non_finite_since) {
    const { iteration } = found.non_finite_since;
    return {
      text: "not finite",
      value: null,
      kind: "trouble",
      title: `Since iteration ${number(iteration)}; last finite value ${number(point?.value)}`,
    };
  }
  if (point === null) return { text: NONE, value: null };
  return { text: number(point.value), value: point.value, title: `iteration ${number(point.iteration)}` };
}
