// The progress of the selected workloads: a card each, with its state, ETA, restarts and what is wrong.

import { age, make, moment, number, percent, span } from "./words.js";

const STATES = { running: "Running", stalled: "Stalled", ended: "Ended", finished: "Finished" };

const MOST_METRICS = 3;

/** Return the card of a workload; `progress` is null while it is being read, or an Error. */
export function makeCard(run, onRemove) {
  const { progress } = run;
  const close = make("button", { type: "button", className: "quiet" }, "✕");
  close.setAttribute("aria-label", `Take ${run.uid} out`);
  close.addEventListener("click", onRemove);
  const dot = make("span", { className: "dot" });
  dot.style.backgroundColor = run.colour;
  const head = make("h2", {}, dot, make("span", { className: "name" }, run.uid), close);
  const card = make("article", { className: "card" }, head);
  if (progress === null) card.append(make("div", { className: "skeleton tall" }));
  else if (progress instanceof Error) card.append(make("p", { className: "trouble" }, progress.message));
  else if (progress.state === null) card.append(make("p", {}, "No records with an iteration and a time."));
  else card.append(...describe(progress));
  return card;
}

function describe(progress) {
  // A workload whose loss is NaN is not well, whatever its state.
  const isWell = progress.health.status === "ok" || !progress.non_finite.length;
  const state = make("span", { className: `state ${isWell ? progress.state : "trouble"}` }, STATES[progress.state]);
  const facts = [
    ...progress.non_finite.slice(0, MOST_METRICS).map((metric) => [`${metric.metric_name} not finite`, since(metric)]),
    ["ETA", timeToGo(progress)],
    ["Per iteration", pace(progress.seconds_per_iteration)],
    ["Goodput", progress.goodput === null ? "unknown" : percent(progress.goodput)],
    ["Restarts", restarts(progress)],
    ["Paused", progress.seconds_paused === null ? "unknown" : span(progress.seconds_paused)],
    ["Last record", `${age(progress.last_timestamp)}`],
  ];
  return [make("p", { className: "headline" }, state, position(progress)), bar(progress), make("dl", {}, ...facts.flatMap(([name, text]) => [
    make("div", {}, make("dt", {}, name), make("dd", {}, text)),
  ]))];
}

function position({ current_iteration: current, target_iteration: target, share_done: share }) {
  if (target === null) return ` iteration ${number(current)}, no target`;
  return ` ${number(current)} of ${number(target)} iterations, ${percent(share)}`;
}

function bar({ share_done: share, state }) {
  const element = make("progress", { max: 1, className: state });
  if (share !== null) element.value = share;
  else element.className += " unknown";
  if (share === null) element.value = 0;
  element.setAttribute("aria-label", share === null ? "share done: unknown" : `done: ${percent(share)}`);
  return element;
}

function timeToGo({ eta, state }) {
  if (state === "finished") return "done";
  if (eta === null) return state === "running" ? "unknown" : "none";
  const text = make("span", {}, `${span(eta.seconds)}, ${moment(eta.timestamp)}`);
  text.append(make("small", {}, ` ${moment(eta.earliest)} to ${moment(eta.latest)}`));
  text.title = eta.basis;
  return text;
}

const pace = (found) => (found === null ? "unknown" : `${span(found.median)} (${span(found.low)} to ${span(found.high)})`);

const since = ({ since_iteration: iteration, since_timestamp: time }) =>
  `since ${iteration === null ? "an unknown iteration" : `iteration ${number(iteration)}`}${time === null ? "" : `, ${age(time)}`}`;

function restarts({ restarts: count, iterations_repeated: repeated, seconds_lost_to_restarts: lost }) {
  if (!count) return "none";
  return `${number(count)} (${number(repeated)} redone iterations, ${span(lost)} lost)`;
}
