// Puts the page together: what the address tells is read, asked for, shown, and kept up to date.

import { ApiError, keepToken, listMetrics, readNew, readProgress, readSeries } from "./api_client.js";
import { isWell, tell } from "./banner.js";
import { Chart, colourOf } from "./charts.js";
import { setUpControls, showControls } from "./controls.js";
import { makeCard } from "./progress_panel.js";
import { Series } from "./series.js";
import { isDark, setUpTheme } from "./theme.js";
import { isSame, readView, writeView } from "./view_state.js";
import { WorkloadList } from "./workload_list.js";

const LIVE_MS = 3000;
const LIST_MS = 10000;
const FIRST_METRICS = ["lm_loss", "loss", "train/loss", "train_loss", "accuracy", "learning_rate"];
const find = (selector) => document.querySelector(selector);

let view = readView();
let uPlot = null;
let metrics = new Map();
let charts = new Map();
let held = [];
let reading = null;
const progress = new Map();
const keyOf = ({ cluster, uid }) => `${cluster}/${uid}`;

const list = new WorkloadList({
  onPick: (workload, isPicked) => {
    const others = view.workloads.filter((each) => !isSame(each, workload));
    change({ workloads: isPicked ? [...others, workload] : others, range: null });
  },
  onTrouble: (error, retry) => tellTrouble("list", error, retry),
  onWarnings: (warnings) => {
    tell("list");
    tell("clusters", warnings.map(({ message }) => message).join(" "));
  },
});

/** Show another view, as a new entry of the history. */
function change(changes, options) {
  view = { ...view, ...changes };
  writeView(view, options);
  show();
}

/** Read all that the view needs, and show it. */
async function show() {
  reading?.abort();
  const request = (reading = new AbortController());
  list.pick(view.workloads);
  showChoices();
  showCards();
  const isNothing = view.workloads.length === 0;
  find("#controls").hidden = isNothing;
  showEmpty(isNothing ? "Pick a workload to see how it is doing." : "");
  if (isNothing) {
    tell("view");
    return removeCharts();
  }
  find("#charts").setAttribute("aria-busy", "true");
  try {
    await Promise.all(view.workloads.map(loadMetrics));
    chooseMetrics();
    showChoices();
    const wanted = { axis: view.axis, range: view.range, maxPoints: Math.max(400, 2 * find("#charts").clientWidth) };
    const answers = await Promise.all(view.workloads.map((workload) =>
      view.metrics.length ? readSeries(workload, view.metrics, wanted, request.signal) : { series: [], cursor: null }));
    if (request.signal.aborted) return;
    held = view.workloads.map((workload, index) => hold(workload, index, answers[index]));
    drawCharts();
    tell("view");
    await Promise.all(view.workloads.map(loadProgress));
  } catch (error) {
    if (error.name !== "AbortError") tellTrouble("view", error, show);
  } finally {
    if (reading === request) find("#charts").setAttribute("aria-busy", "false");
  }
}

async function loadMetrics(workload) {
  if (!metrics.has(keyOf(workload))) metrics.set(keyOf(workload), (await listMetrics(workload)).metrics);
}

/** Keep the metrics that were chosen; where none are, choose some that everybody looks at. */
function chooseMetrics() {
  if (view.metrics.length) return;
  const counted = new Set(view.workloads.flatMap((each) => metrics.get(keyOf(each)).filter(({ count }) => count).map(({ name }) => name)));
  const usual = FIRST_METRICS.filter((name) => counted.has(name));
  view.metrics = (usual.length ? usual : [...counted]).slice(0, 2);
  writeView(view, { replace: true });
}

function hold(workload, index, answer) {
  const series = answer.series.map((told) => {
    const one = new Series(workload, told);
    one.take(told);
    return one;
  });
  return { workload, index, series, cursor: answer.cursor };
}

function drawCharts() {
  const shown = { ...view, dark: isDark() };
  for (const [name, chart] of charts) {
    if (!view.metrics.includes(name)) {
      chart.remove();
      charts.delete(name);
    }
  }
  for (const name of view.metrics) {
    if (!charts.has(name)) charts.set(name, new Chart(uPlot, name, (range) => change({ range })));
    const chart = charts.get(name);
    find("#charts").append(chart.figure);
    const lines = held.flatMap(({ workload, index, series }) => series.filter(({ metric }) => metric === name).map((one, _, all) => ({
      one, colour: colourOf(index), label: all.length > 1 ? `${workload.uid} (${one.source})` : workload.uid,
    })));
    chart.show(lines, shown);
  }
}

function removeCharts() {
  for (const chart of charts.values()) chart.remove();
  charts.clear();
  held = [];
  find("#progress").replaceChildren();
}

async function loadProgress(workload) {
  const before = progress.get(keyOf(workload));
  try {
    const told = await readProgress(workload);
    progress.set(keyOf(workload), told);
    if (before && before.state !== told.state && told.state) say(`${workload.uid} is ${told.state} now.`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) throw error;
    progress.set(keyOf(workload), error);
  }
  showCards();
}

function showCards() {
  const place = find("#progress");
  const focused = place.contains(document.activeElement);
  place.replaceChildren(...view.workloads.map((workload, index) =>
    makeCard(workload, index, progress.get(keyOf(workload)) ?? null, () =>
      change({ workloads: view.workloads.filter((each) => !isSame(each, workload)), range: null }))));
  if (focused) place.querySelector("button")?.focus();
}

function showChoices() {
  const counted = new Map();
  for (const each of view.workloads) {
    for (const { name, count } of metrics.get(keyOf(each)) ?? []) counted.set(name, (counted.get(name) ?? 0) + count);
  }
  showControls(view, counted, (name, isChosen) =>
    change({ metrics: isChosen ? [...view.metrics, name] : view.metrics.filter((each) => each !== name) }));
}

/** Add what is new to the lines: only that is asked for. */
async function follow() {
  if (document.hidden) return;
  if (!isWell("view")) return show();
  if (!held.length || !view.metrics.length) return;
  const request = reading;
  try {
    for (const each of held) {
      if (!each.cursor) continue;
      const answer = await readNew(each.workload, view.metrics, each.cursor, request.signal);
      if (request.signal.aborted) return;
      each.cursor = answer.cursor;
      if (!answer.total_count) continue;
      for (const told of answer.series) {
        const one = each.series.find(({ metric, source }) => metric === told.metric_name && source === told.data_source);
        if (one) one.take(told);
        else each.series.push(hold(each.workload, each.index, { series: [told] }).series[0]);
      }
      drawCharts();
      await loadProgress(each.workload);
    }
    const most = 4 * Math.max(400, find("#charts").clientWidth);
    // Thin the lines out again, before they become heavy.
    if (held.some(({ series }) => series.some(({ points }) => points.size > 2 * most))) show();
  } catch (error) {
    if (error.name !== "AbortError") tellTrouble("view", error, show);
  }
}

function tellTrouble(part, error, retry) {
  if (error instanceof ApiError && error.status === 401) return askForToken();
  if (!(error instanceof ApiError)) throw error;
  tell(part, error.message, retry);
}

function showEmpty(text) {
  find("#empty").hidden = !text;
  find("#empty").textContent = text;
}

const say = (text) => { find("#status").textContent = text; };

function askForToken() {
  const dialog = find("#token-dialog");
  if (!dialog.open) dialog.showModal();
}

find("#token-form").addEventListener("submit", () => {
  keepToken(find("#token").value.trim());
  find("#token").value = "";
  start();
});
setUpControls({
  onChange: change,
  onSmoothing: (smoothing, isFinal) => {
    view = { ...view, smoothing };
    showChoices();
    drawCharts();
    if (isFinal) writeView(view);
  },
  isZoomed: () => view.range !== null,
});
addEventListener("popstate", () => { view = readView(); show(); });
addEventListener("hashchange", () => { view = readView(); show(); });
new ResizeObserver(() => { for (const chart of charts.values()) chart.resize(); }).observe(find("#charts"));
setUpTheme(() => drawCharts());

async function start() {
  try {
    await list.loadClusters();
    tell("start");
    await list.load();
    await show();
  } catch (error) {
    tellTrouble("start", error, start);
  }
}

/** Go on for ever, one after another: a slow answer delays the next question instead of meeting it. */
async function repeat(action, pause) {
  for (;;) {
    await new Promise((done) => { setTimeout(done, pause); });
    await action();
  }
}

try {
  uPlot = (await import("../vendor/uPlot.esm.js")).default;
} catch {
  tell("charts", "The part that draws charts is missing: it is fetched with npm when the service is built (make run does so).");
}
if (uPlot) {
  await start();
  repeat(follow, LIVE_MS);
  repeat(async () => { if (!document.hidden) await list.load({ quiet: true }); }, LIST_MS);
}
