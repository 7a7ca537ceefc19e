// The series of the runs in view: a preview first, then the full ones, then what changes. One request for a page of charts.

import { ask, post } from "./api_client.js";
import { applyChanges, holdSeries } from "./series_changes.js";

// Each point of a preview is a look-up in an index.
const PREVIEW_POINTS = 150;
const LEAST_PREVIEW = 30;
const MOST_PREVIEW = 900;
// Enough to find the metrics that every few records report.
const NAME_POINTS = 20;
// The metrics of the first request, as many as there are charts on the first screen, and of the others.
const FIRST_METRICS = 4;
const PAGE_METRICS = 12;
// Points of all series of an answer, and of those of a workload, which the service limits to 300,000.
const MOST_POINTS = 300_000;
const MOST_OF_WORKLOAD = 200_000;
const LEAST_POINTS = 200;
const POINTS_STEP = 200;
// A series that has grown to so many times its sample is sampled again.
const MOST_GROWTH = 4;
// Names of many workloads and metrics are longer than a request line may be.
const LONGEST_LINE = 6000;

const AXES = ["iteration", "time", "relative_time"];

/** What the API calls the axis that points are sampled along: relative time is that of the day, from another zero. */
const axisOf = ({ axis }) => (axis === "relative_time" ? "time" : axis);

export class SeriesStore {
  constructor() {
    // By key of a run: its series, its cursor (null for a preview), and the names that were asked for.
    this.held = new Map();
    this.points = 800;
    this.scope = "";
    this.isStale = false;
    // Whether the last request for full series was answered with an error.
    this.isFailed = false;
    // What kept runs from being answered, such as a copy that is being built: `{cluster, workload_uid, message}`.
    this.warnings = [];
  }

  /** The series of a metric of a run. */
  seriesOf(key, name) {
    return this.held.get(key)?.byName.get(name) ?? [];
  }

  /** Whether the full series of all `names` of a run are held. */
  isRead(key, names) {
    return names.every((name) => this.held.get(key)?.names.has(name));
  }

  /** The metrics of `runs` that a small preview finds, each with null for its unknown number of points. */
  async listMetrics(runs, signal) {
    if (!runs.length) return new Map();
    const answer = await request(
      [...describe(runs, [], { axis: "iteration" }), ["method", "stride"], ["max_points", NAME_POINTS]],
      signal,
    );
    return new Map(answer.series.map(({ metric_name: name }) => [name, null]));
  }

  /** Read what the view needs and is not held; call `onPreview` each time that more can be drawn. */
  async load(runs, view, { signal, points = this.points, onPreview = () => {} }) {
    const names = [...new Set(view.metrics.flat())];
    this.forget(runs, names);
    const most = this.choosePoints(runs, names.length, points);
    const scope = JSON.stringify([
      axisOf(view),
      AXES.includes(view.axis) && view.xRange,
      view.axis === "relative_time" && view.xRange !== null,
      most,
    ]);
    if (this.isStale || scope !== this.scope) for (const held of this.held.values()) held.names = new Set();
    [this.scope, this.isStale, this.warnings, this.isFailed] = [scope, false, [], false];
    for (const page of divide(findPages(runs, names, this.held), view)) {
      const preview = this.loadPreview(page, view, signal, onPreview);
      await Promise.all([preview, this.loadPage(page, view, most, signal)]);
      if (signal.aborted) return;
      onPreview();
    }
  }

  /** A coarse line now: of a million records that have no copy yet, the whole takes seconds. */
  async loadPreview({ runs, names }, view, signal, onPreview) {
    const isHeld = (run) => names.every((name) => this.held.get(run.key)?.byName.has(name));
    const fresh = runs.filter((run) => !isHeld(run));
    const range = view.axis === "iteration" ? findRange(view, fresh) : [];
    // Along a metric, a preview has no positions.
    if (!fresh.length || !AXES.includes(view.axis) || (view.axis !== "iteration" && view.xRange)) return;
    const query = [
      ...describe(fresh, names, { axis: null }),
      ...range,
      ["method", "stride"],
      ["max_points", Math.max(LEAST_PREVIEW, Math.min(PREVIEW_POINTS, Math.floor(MOST_PREVIEW / fresh.length)))],
    ];
    const answer = await request(query, signal).catch(ignore);
    if (!answer || signal.aborted) return;
    let isNew = false;
    for (const run of fresh.filter((each) => !isHeld(each))) {
      const held = this.held.get(run.key) ?? this.add(run.key);
      isNew = true;
      for (const name of names) if (!held.byName.has(name)) held.byName.set(name, seriesOfRun(answer, run, name, null));
    }
    if (isNew) onPreview();
  }

  async loadPage({ runs, names }, view, most, signal) {
    const query = [
      ...describe(runs, names, { axis: axisOf(view) }),
      ...findRange(view, runs),
      ["max_points", most],
      ["after", ""],
    ];
    const answer = await request(query, signal).catch((error) => {
      this.isFailed = error.name !== "AbortError";
      throw error;
    });
    if (signal.aborted) return;
    this.warnings.push(...answer.warnings);
    for (const given of answer.workloads) {
      const run = runs.find((each) => isOf(given, each));
      const held = this.held.get(run.key) ?? this.add(run.key);
      // Of two cursors the earlier one: what it returns once more changes nothing.
      if (held.cursor === null || held.names.size === 0) held.cursor = given.cursor;
      for (const name of names) {
        held.byName.set(name, seriesOfRun(answer, run, name, given.sampling?.bucket_width ?? null));
        held.names.add(name);
      }
      held.most = most;
    }
  }

  /** Apply the changes of `runs` since the last call. */
  async follow(runs, view, signal) {
    const due = runs.filter((run) => this.held.get(run.key)?.cursor);
    // A run without an answer so far, such as one whose copy is being built, is asked for once more.
    const isLacking = due.length < runs.length;
    if (!due.length) return { changedRuns: [], mustReload: isLacking };
    const names = [...new Set(view.metrics.flat())];
    const most = this.held.get(due[0].key).most;
    const cursor = due.map((run) => this.held.get(run.key).cursor).join(".");
    const query = [
      ...describe(due, names, { axis: axisOf(view) }),
      ...findRange(view, due),
      ["max_points", most],
      ["after", cursor],
    ];
    const answer = await post("metrics/data", query, signal);
    if (signal.aborted) return { changedRuns: [], mustReload: false };
    this.warnings = answer.warnings;
    const changed = answer.workloads
      .map((given) =>
        this.update(
          due.find((run) => isOf(given, run)),
          names,
          given,
          answer,
        ),
      )
      .filter(Boolean);
    // Changes along a metric come without positions.
    if (changed.length && !["iteration", "time"].includes(axisOf(view))) this.isStale = true;
    return { changedRuns: changed, mustReload: this.isStale || isLacking };
  }

  /** Return the key of a run that has changed, else null. */
  update(run, names, given, answer) {
    const held = this.held.get(run.key);
    held.cursor = given.cursor;
    if (!given.reset && !given.changed.length) return null;
    for (const name of names) {
      const series = answer.series.filter((each) => isOf(each, run) && each.metric_name === name);
      held.byName.set(
        name,
        given.reset
          ? series.map((each) => holdSeries(each, given.sampling?.bucket_width ?? null))
          : applyChanges(this.seriesOf(run.key, name), given.changed, series),
      );
      if (this.seriesOf(run.key, name).some(({ values }) => values.length > MOST_GROWTH * held.most))
        this.isStale = true;
    }
    return run.key;
  }

  add(key) {
    this.held.set(key, { byName: new Map(), names: new Set(), cursor: null, most: LEAST_POINTS });
    return this.held.get(key);
  }

  /** Drop the runs that are not in view; metrics that are not are no longer kept up to date. */
  forget(runs, names) {
    const keys = new Set(runs.map(({ key }) => key));
    for (const [key, held] of this.held) {
      if (!keys.has(key)) this.held.delete(key);
      held.names = new Set(names.filter((name) => held.names.has(name)));
    }
  }

  /** As many points of a series as its chart can show, fewer where there are many series. */
  choosePoints(runs, metrics, wanted) {
    const attempts = Math.max(1, ...runs.map((run) => run.attempts?.length ?? 1));
    const most = Math.min(
      wanted,
      MOST_POINTS / (runs.length * Math.min(metrics, PAGE_METRICS) || 1),
      MOST_OF_WORKLOAD / (attempts * Math.min(metrics, PAGE_METRICS) || 1),
    );
    return Math.max(LEAST_POINTS, Math.floor(most / POINTS_STEP) * POINTS_STEP);
  }
}

/** What is missing, as requests of some metrics of some runs each. */
function findPages(runs, names, held) {
  const pages = [];
  for (let first = 0, size = FIRST_METRICS; first < names.length; [first, size] = [first + size, PAGE_METRICS]) {
    const page = names.slice(first, first + size);
    const missing = page.filter((name) => runs.some((run) => !held.get(run.key)?.names.has(name)));
    const lacking = runs.filter((run) => missing.some((name) => !held.get(run.key)?.names.has(name)));
    if (lacking.length) pages.push({ runs: lacking, names: missing });
  }
  return pages;
}

const describe = (runs, names, { axis }) => [
  ...runs.map(({ cluster, uid }) => ["workload", `${cluster}/${uid}`]),
  ["layout", "columns"],
  ["non_finite", "true"],
  ["split", "serial"],
  ["axis", axis],
  ...names.map((name) => ["metric", name]),
];

/** A range of relative time is another range of time for each run. */
const divide = (pages, { axis, xRange }) =>
  axis === "relative_time" && xRange
    ? pages.flatMap(({ runs, names }) => runs.map((run) => ({ runs: [run], names })))
    : pages;

/** The parameters of the range that is shown; along metrics there are none, so all is read. */
function findRange({ axis, xRange }, runs) {
  if (!xRange) return [];
  const [start, end] = [Math.floor(xRange[0]), Math.ceil(xRange[1])];
  const begin = axis === "relative_time" && runs.length === 1 ? runs[0].progress?.first_timestamp : null;
  if (Number.isFinite(begin))
    return [
      ["start", begin + start],
      ["end", begin + end],
    ];
  if (axis === "time")
    return [
      ["start", start],
      ["end", end],
    ];
  return axis === "iteration"
    ? [
        ["start_iteration", start],
        ["end_iteration", end],
      ]
    : [];
}

function request(query, signal) {
  const length = query.reduce(
    (sum, [name, value]) => sum + name.length + encodeURIComponent(value ?? "").length + 2,
    0,
  );
  return (length > LONGEST_LINE ? post : ask)("metrics/data", query, signal);
}

const isOf = ({ cluster, workload_uid: uid }, run) => cluster === run.cluster && uid === run.uid;

const seriesOfRun = (answer, run, name, width) =>
  answer.series.filter((each) => each.metric_name === name && isOf(each, run)).map((each) => holdSeries(each, width));

/** A preview is a courtesy: trouble that stays is reported by the request for the full series. */
function ignore(error) {
  if (error.name === "AbortError") throw error;
  return null;
}
