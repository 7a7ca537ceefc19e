// Puts the page together: what the address tells is read, asked for, shown, and kept up to date.

import { ApiError, keepToken, readProgress } from "./api_client.js";
import { isWell, tell } from "./banner.js";
import { Chart, colourOf } from "./charts.js";
import { setUpControls, showControls } from "./controls.js";
import { HeldData, keyOf } from "./held_data.js";
import { makeCard } from "./progress_panel.js";
import { isDark, setUpTheme } from "./theme.js";
import { isSame, readView, writeView } from "./view_state.js";
import { WorkloadList } from "./workload_list.js";

const LIVE_MS = 3000;
const LIST_MS = 10000;
// Of a million records, progress takes seconds to tell: the database then rests this many times as long.
const REST_FACTOR = 10;
const find = (selector) => document.querySelector(selector);

let view = readView();
let uPlot = null;
let reading = null;
const data = new HeldData();
const charts = new Map();
const progress = new Map();
const rests = new Map();

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

/** Read all that the view needs, and show it: a glance first, then the whole, then what takes longest to count. */
async function show() {
  reading?.abort();
  const { signal } = (reading = new AbortController());
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
    await data.lookAtNew(view, signal);
    chooseMetrics();
    drawCharts();
    await Promise.all([readAll(signal), ...view.workloads.map(loadProgress)]);
    if (signal.aborted) return;
    tell("view");
    await data.loadMetrics(view.workloads);
    if (signal.aborted) return;
    showChoices();
    if (!view.metrics.length && data.chooseMetrics(view.workloads).length) show();
  } catch (error) {
    if (error.name !== "AbortError") tellTrouble("view", error, show);
  } finally {
    if (!signal.aborted) find("#charts").setAttribute("aria-busy", "false");
  }
}

async function readAll(signal) {
  await data.read(view, Math.max(400, 2 * find("#charts").clientWidth), signal);
  if (signal.aborted) return;
  drawCharts();
  find("#charts").setAttribute("aria-busy", "false");
}

function chooseMetrics() {
  if (!view.metrics.length) {
    view.metrics = data.chooseMetrics(view.workloads);
    if (view.metrics.length) writeView(view, { replace: true });
  }
  showChoices();
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
    const lines = data.seriesOf(name).map(({ one, workload, index, isOneOfMany }) => ({
      one, colour: colourOf(index), label: isOneOfMany ? `${workload.uid} (${one.source})` : workload.uid,
    }));
    chart.show(lines, shown);
  }
}

function removeCharts() {
  for (const chart of charts.values()) chart.remove();
  charts.clear();
  data.clear();
  find("#progress").replaceChildren();
}

async function loadProgress(workload) {
  const before = progress.get(keyOf(workload));
  const began = Date.now();
  try {
    const told = await readProgress(workload);
    rests.set(keyOf(workload), Date.now() + REST_FACTOR * (Date.now() - began));
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
  showControls(view, data.countMetrics(view.workloads), (name, isChosen) =>
    change({ metrics: isChosen ? [...view.metrics, name] : view.metrics.filter((each) => each !== name) }));
}

/** Show what is new; after trouble, everything again. */
async function follow() {
  if (document.hidden) return;
  if (!isWell("view")) return show();
  if (!view.metrics.length) return;
  try {
    await data.follow(view.metrics, reading?.signal, async (workload) => {
      drawCharts();
      if (Date.now() > (rests.get(keyOf(workload)) ?? 0)) await loadProgress(workload);
    });
    // Thin the lines out again, before they become heavy.
    if (data.isHeavy(8 * Math.max(400, find("#charts").clientWidth))) show();
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

/** The list and the view do not wait for each other: a view that came with the address is there at once. */
function start() {
  loadList();
  show();
}

async function loadList() {
  list.showLoading();
  try {
    await list.loadClusters();
    tell("start");
    await list.load();
  } catch (error) {
    list.stopLoading();
    tellTrouble("start", error, loadList);
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
  start();
  repeat(follow, LIVE_MS);
  repeat(async () => { if (!document.hidden) await list.load({ quiet: true }); }, LIST_MS);
}
