// Wires the page together: what the address describes is read, shown and kept up to date.

import * as client from "./api_client.js";
import { isWell, showTrouble, showWarnings } from "./banner.js";
import { ChartControls } from "./chart_controls.js";
import { DefaultCharts } from "./default_charts.js";
import { focusField, setUpKeys } from "./keys.js";
import { MetricsPanel } from "./metrics_panel.js";
import { Notifications } from "./notifications.js";
import { setUpPanels } from "./panels.js";
import { HIDDEN, LIST, METRICS, POINTS, PROGRESS, Retry, SHORT_REST, Schedule, repeat } from "./poller.js";
import { setUpPrinting } from "./printing.js";
import { findEvents } from "./run_events.js";
import { setUpRoving } from "./roving.js";
import { RunStore } from "./run_store.js";
import { RunTable } from "./run_table.js";
import { findAwaited } from "./series_requests.js";
import { SeriesStore } from "./series_store.js";
import { showEmbedded } from "./embedding.js";
import { showTab } from "./tab.js";
import { setUpTheme, switchTheme } from "./theme.js";
import { setUpTokenDialog } from "./token_dialog.js";
import { readView, selectWorkloads, writeView } from "./view_state.js";
import { WorkloadList } from "./workload_list.js";

const TICK_MS = 1000;
// Changes of these are followed by requests; all others only show again what is held.
const READ = ["workloads", "metrics", "axis", "xRange", "attempts", "align"];
const find = (selector) => document.querySelector(selector);

let view = readView();
let grid = null;
let reading = new AbortController();
// Until something can be seen of the charts, the service is not asked for anything else.
let drawn = Promise.resolve();
const series = new SeriesStore();
const known = new RunStore(client);
const defaults = new DefaultCharts(series, known);
const points = new Schedule(POINTS, SHORT_REST);
const progress = new Schedule(PROGRESS);
const metrics = new Schedule(METRICS);
const retry = new Retry();
const panel = new MetricsPanel(find("#metrics-panel"), { change });
const controls = new ChartControls(find("#chart-controls"), { change });
const table = new RunTable(find("#runs"), {
  change,
  onRemove: (run) => select([run], false),
  onHover: (key) => grid.highlight(key),
});
const notifications = new Notifications(find("#notify"), find("#status"));
const list = new WorkloadList({
  onSelect: select,
  onTrouble: (error, retry) => report("list", error, retry),
  onWarnings: (warnings) => showWarnings("list", warnings),
});
setUpRoving(find("#tools"))();
setUpPanels(() => view.workloads.length > 0);
const askForToken = setUpTokenDialog(start);

/** Show another view, as a new entry of the history or, with `replace`, instead of the current one. */
function change(partial, { replace = false } = {}) {
  const mustRead = READ.some((name) => name in partial && partial[name] !== view[name]);
  view = { ...view, ...partial };
  writeView(view, { replace });
  if (mustRead) load();
  else render();
}

/** Put workloads into the view, or take them out. */
function select(workloads, isSelected) {
  change(selectWorkloads(view, workloads, isSelected));
}

/** Show what is known. */
function render() {
  const runs = known.build(view);
  const isNothing = runs.length === 0;
  list.showRuns(runs);
  table.show(runs, view);
  panel.show(known.countMetrics(view.workloads), view);
  controls.show(view, known.countMetrics(view.workloads), runs);
  for (const place of ["#chart-controls", "#metrics-panel"]) find(place).hidden = isNothing;
  find("#empty").hidden = !isNothing;
  showTab(runs);
  showWarnings("points", series.warnings);
  showEmbedded(view, runs);
  grid.show(runs, view);
}

/** Read all that the view needs, and show it as it arrives; what the first chart shows comes before all else. */
async function load() {
  reading.abort();
  const { signal } = (reading = new AbortController());
  const runs = known.build(view);
  const { promise, resolve: isDrawn } = Promise.withResolvers();
  drawn = promise;
  grid.arrange(view);
  const charts = loadCharts(runs, signal, isDrawn).finally(isDrawn);
  const table = drawn.then(() => signal.aborted || loadProgress(progress.due(runs, Date.now()), signal));
  render();
  grid.setReading(runs.length > 0);
  showTrouble("view");
  try {
    await Promise.all([charts, table]);
    await known.loadSummaries(view.workloads, view.metrics.flat(), signal, { onlyNew: true });
    if (signal.aborted) return;
    render();
    retry.succeed();
    await loadMetrics(metrics.due(known.build(view), Date.now()), signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    await Promise.allSettled([charts, table]);
    if (signal.aborted) return;
    retry.fail(Date.now());
    report("view", error, load);
    render();
  } finally {
    if (!signal.aborted) grid.setReading(false);
  }
}

/** Read what the charts show; `isDrawn` is called when there is something to see. */
async function loadCharts(runs, signal, isDrawn) {
  if (!runs.length) return;
  const charts = await defaults.choose(runs, view, signal);
  if (charts && !signal.aborted) writeView((view = { ...view, metrics: charts }), { replace: true });
  await loadBegins(runs, signal);
  if (signal.aborted) return;
  const onPreview = () => signal.aborted || isDrawn(render());
  const restored = await series.load(known.build(view), view, { signal, onPreview });
  if (signal.aborted) return;
  points.note(runs, Date.now());
  points.hurry(restored);
  render();
  grid.setReading(false);
}

/** Read the progress of new runs before a range of their relative time, as it says where that begins. */
async function loadBegins(runs, signal) {
  const unread = findAwaited(runs, view).filter((run) => run.progress === null);
  if (unread.length) await progress.ask(unread, () => known.loadProgress(unread, signal));
}

async function loadProgress(runs, signal) {
  if (!runs.length) return;
  const before = known.build(view);
  await progress.ask(runs, () => known.loadProgress(runs, signal));
  if (signal.aborted) return;
  notifications.announce(findEvents(before, known.build(view)));
  await known.loadSummaries(runs, view.metrics.flat(), signal);
  if (signal.aborted) return;
  if (findAwaited(known.build(view), view).length < findAwaited(before, view).length) await load();
  else render();
}

async function loadMetrics(runs, signal) {
  if (!runs.length) return;
  await metrics.ask(runs, () => known.loadMetrics(runs, signal));
  if (!signal.aborted) render();
}

/** Ask about what is due; after an error, read everything again. */
async function follow() {
  if (!view.workloads.length || grid.isReading) return;
  if (document.hidden) return followHidden();
  if (!isWell("view")) return retry.isDue(Date.now()) ? load() : undefined;
  const { signal } = reading;
  const runs = known.build(view);
  try {
    await followPoints(points.due(runs, Date.now()), signal);
    await loadProgress(progress.due(known.build(view), Date.now()), signal);
    await loadMetrics(metrics.due(known.build(view), Date.now()), signal);
  } catch (error) {
    if (error.name !== "AbortError") report("view", error, load);
  }
}

/** While the tab is hidden, only what notifications need is asked, and rarely. */
async function followHidden() {
  if (!notifications.isOn) return;
  try {
    await loadProgress(progress.due(known.build(view), Date.now(), HIDDEN), reading.signal);
  } catch (error) {
    if (!(error instanceof client.ApiError) && error.name !== "AbortError") throw error;
  }
}

async function followPoints(due, signal) {
  if (!due.length || !view.metrics.length) return;
  const { changedRuns, mustReload } = await points.ask(due, () => series.follow(due, view, signal));
  if (signal.aborted) return;
  progress.hurry(changedRuns);
  if (mustReload) return load();
  if (changedRuns.length) render();
}

async function followList() {
  if (document.hidden || view.embed) return;
  if (isWell("start")) await list.load({ quiet: true });
  else await openList();
}

function report(part, error, retry) {
  if (!(error instanceof client.ApiError)) throw error;
  if (error.status === 401) askForToken(error.message);
  else showTrouble(part, error.message, retry);
}

const openList = () => list.open((error, again) => (error ? report("start", error, again) : showTrouble("start")));

/** An embedded page has no list. */
function start() {
  load();
  if (!view.embed) drawn.then(openList);
}

// A step back is announced twice, as popstate and as hashchange; an address that is typed in, as hashchange.
function showAddress() {
  const next = readView();
  if (JSON.stringify(next) === JSON.stringify(view)) return;
  view = next;
  load();
}

setUpKeys({
  "/": () => focusField("#search"),
  m: () => focusField("#metrics-panel input"),
  r: () => change({ table: { ...view.table, isCollapsed: !view.table.isCollapsed } }, { replace: true }),
  d: () => switchTheme(),
});
addEventListener("popstate", showAddress);
addEventListener("hashchange", showAddress);
try {
  const { ChartGrid } = await import("./chart_grid.js");
  grid = new ChartGrid(find("#charts"), { change, store: series });
} catch {
  showTrouble(
    "charts",
    "The library that draws charts is missing: npm fetches it when the service is built (make run does so).",
  );
}
if (grid) {
  new ResizeObserver(() => grid.resize()).observe(find("#charts"));
  addEventListener("resize", () => grid.resize());
  setUpTheme(render);
  setUpPrinting(grid);
  start();
  repeat(follow, TICK_MS);
  repeat(followList, LIST);
}
