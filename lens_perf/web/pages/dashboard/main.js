// Puts the page together: what the address tells is read, asked for, shown, and kept up to date.

import { ApiError, keepToken } from "./api_client.js";
import { isWell, tell } from "./banner.js";
import { Chart, colourOf } from "./charts.js";
import { setUpControls, showControls } from "./controls.js";
import { HeldData } from "./held_data.js";
import { ProgressCards } from "./progress_cards.js";
import { isDark, setUpTheme } from "./theme.js";
import { isSame, readView, writeView } from "./view_state.js";
import { WorkloadList } from "./workload_list.js";

const LIVE_MS = 3000;
const LIST_MS = 10000;
const find = (selector) => document.querySelector(selector);

let view = readView();
let uPlot = null;
let reading = null;
const data = new HeldData();
const charts = new Map();
const cards = new ProgressCards({
  onRemove: (workload) => change({ workloads: view.workloads.filter((each) => !isSame(each, workload)), range: null }),
  onState: (text) => { find("#status").textContent = text; },
});

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
  cards.show(view.workloads);
  const isNothing = view.workloads.length === 0;
  find("#controls").hidden = isNothing;
  showEmpty(isNothing ? "Pick a workload to see how it is doing." : "");
  if (isNothing) {
    tell("view");
    view.metrics = [];
    find("#charts").setAttribute("aria-busy", "false");
    return removeCharts();
  }
  find("#charts").setAttribute("aria-busy", "true");
  try {
    await lookAtNew(signal);
    drawCharts();
    await Promise.all([readAll(signal), ...view.workloads.map((each) => cards.load(each))]);
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

/** Without a glance, the whole will do: trouble that stays is told then. */
async function lookAtNew(signal) {
  try {
    await data.lookAtNew(view, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 401) throw error;
    await data.loadMetrics(view.workloads);
  }
  chooseMetrics();
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
  if (!view.workloads.length) return;
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
    // Only a figure that is new, or elsewhere: one that is moved loses the focus.
    const place = find("#charts").children[view.metrics.indexOf(name)];
    if (place !== chart.figure) find("#charts").insertBefore(chart.figure, place ?? null);
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
}

function showChoices() {
  showControls(view, data.countMetrics(view.workloads), (name, isChosen) =>
    change({ metrics: isChosen ? [...view.metrics, name] : view.metrics.filter((each) => each !== name) }));
}

/** Show the changes; after an error, and until there is a metric, read everything again. */
async function follow() {
  if (document.hidden || !view.workloads.length || find("#charts").getAttribute("aria-busy") === "true") return;
  if (!isWell("view") || !view.metrics.length) return show();
  try {
    const isReset = await data.follow(view.metrics, reading?.signal, async (workload) => {
      drawCharts();
      await cards.load(workload);
    });
    // Sample the series again before they become slow to draw.
    if (isReset || data.isHeavy(8 * Math.max(400, find("#charts").clientWidth))) await show();
  } catch (error) {
    if (error.name !== "AbortError") tellTrouble("view", error, show);
  }
}

/** What changes without a new point: that a run has stalled, that it reports another metric. */
async function lookAround() {
  if (document.hidden) return;
  try {
    if (!isWell("start")) await loadList();
    else await list.load({ quiet: true });
    await Promise.all(view.workloads.map((each) => cards.load(each)));
    await data.loadMetrics(view.workloads);
    showChoices();
    tell("around");
  } catch (error) {
    tellTrouble("around", error, lookAround);
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
// A step back is told twice, as popstate and as hashchange; an address that is typed in, as hashchange.
addEventListener("popstate", () => showAddress());
addEventListener("hashchange", () => showAddress());
find(".skip").addEventListener("click", (event) => {
  // Its address would take the place of the view's.
  event.preventDefault();
  find("#content").focus();
});
new ResizeObserver(() => { for (const chart of charts.values()) chart.resize(); }).observe(find("#charts"));
setUpTheme(() => drawCharts());

function showAddress() {
  const told = readView();
  if (JSON.stringify(told) === JSON.stringify(view)) return;
  view = told;
  show();
}

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
  repeat(lookAround, LIST_MS);
}
