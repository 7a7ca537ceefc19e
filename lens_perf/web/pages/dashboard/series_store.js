// Holds the series of the runs in view: a preview first, then the full ones, then what changes.

import { findIterations } from "./metric_ranges.js";
import { applyChanges, holdSeries } from "./series_changes.js";
import { joinEdges } from "./series_edges.js";
import * as requests from "./series_requests.js";
import { AXES, keyIn } from "./view_state.js";

// A series that has grown to so many times its sample is sampled again.
const MOST_GROWTH = 4;
const NONE = Object.freeze([]);

export class SeriesStore {
  constructor() {
    // By key of a run: its series, its cursor (null for a preview), the names that were asked for, the time from which
    // a range of relative time counts, and `whole`, the series of the whole range of an axis.
    this.held = new Map();
    this.points = 800;
    this.scope = "";
    // What was held of the whole range when a part of it was asked for: its scope, and by key of a run what was held.
    this.kept = null;
    this.isWhole = true;
    this.isStale = false;
    // What the last request for full series failed with, null if it did not.
    this.failure = null;
    // What kept runs from being answered, such as a copy that is being built: `{cluster, workload_uid, message}`.
    this.warnings = [];
  }

  /** The series of a metric of a run. */
  seriesOf(key, name) {
    return this.held.get(key)?.byName.get(name) ?? NONE;
  }

  /** Whether the full series of all `names` of a run are held. */
  isRead(key, names) {
    return names.every((name) => this.held.get(key)?.names.has(name));
  }

  /** By key of `runs`, the names of the metrics that a small preview finds. */
  async listMetrics(runs, signal) {
    if (!runs.length) return new Map();
    const { series } = await requests.askNames(runs, signal);
    const list = (run) => series.filter((each) => isOf(each, run)).map(({ metric_name: name }) => name);
    return new Map(runs.map((run) => [run.key, [...new Set(list(run))]]));
  }

  /**
   * Read what the view needs and is not held; call `onPreview` each time that more can be drawn. Return the keys of the
   * runs that were held from before, and may have changed since.
   */
  async load(runs, shown, { signal, points = this.points, onPreview = () => {} }) {
    const view = requests.toRead(shown);
    const names = [...new Set(view.metrics.flat())];
    this.forget(runs, names);
    this.warnings = this.warnings.filter((each) => findRun(runs, each));
    const ask = (asked, wanted) => this.read(asked, names, wanted, { signal, points, onPreview });
    // A range of a metric is known by the points of the whole.
    const isKnown = (run) => this.held.get(run.key)?.whole?.axis === view.axis;
    const unknown = view.xRange && !AXES.includes(view.axis) ? runs.filter((run) => !isKnown(run)) : [];
    if (unknown.length) await ask(unknown, { ...view, xRange: null });
    return signal.aborted ? [] : ask(runs, view);
  }

  async read(runs, names, view, { signal, points, onPreview }) {
    const most = requests.choosePoints(runs, names.length, points);
    const scope = requests.scopeOf(view, most);
    const restored = this.isStale || scope !== this.scope ? this.changeScope(scope, names, view.xRange === null) : [];
    this.failure = null;
    if (restored.length) onPreview();
    for (const page of requests.planPages(runs, names, this.held, view)) {
      // One after the other: the service would answer both late, and the preview takes a fraction of the time.
      await this.loadPreview(page, view, signal, onPreview);
      if (signal.aborted) break;
      await this.loadPage(page, view, most, signal);
      if (signal.aborted) break;
      onPreview();
    }
    return restored;
  }

  /** Note that all is to be read again, but for what is still held of the whole range; return the keys of its runs. */
  changeScope(scope, names, isWhole) {
    if (this.isStale) this.kept = null;
    else if (this.isWhole) this.kept = { scope: this.scope, held: new Map([...this.held].map(copy)) };
    const before = this.kept?.scope === scope ? this.kept.held : new Map();
    for (const [key, held] of this.held) Object.assign(held, { names: new Set() }, before.get(key));
    this.forget(
      [...this.held.keys()].map((key) => ({ key })),
      names,
    );
    Object.assign(this, { scope, isWhole, isStale: false });
    return [...this.held.keys()].filter((key) => before.has(key));
  }

  /** A coarse line now: of a million records that have no copy yet, the whole takes seconds. */
  async loadPreview({ runs, names }, view, signal, onPreview) {
    const isHeld = (run) => names.every((name) => this.held.get(run.key)?.byName.has(name));
    const fresh = runs.filter((run) => !isHeld(run));
    if (!fresh.length || !requests.hasPreview(view)) return;
    const answer = await requests.askPreview(fresh, names, view, signal).catch(ignore);
    if (!answer || signal.aborted) return;
    let isNew = false;
    for (const run of fresh.filter((each) => !isHeld(each))) {
      const held = this.held.get(run.key) ?? this.add(run.key);
      isNew = true;
      for (const name of names) if (!held.byName.has(name)) held.byName.set(name, seriesOfRun(answer, run, name, null));
    }
    if (isNew) onPreview();
  }

  async loadPage(page, view, most, signal) {
    const { runs, names } = page;
    const iterations = this.findIterations(runs, view);
    const asked = [
      requests.askSeries({ ...page, iterations }, view, most, signal),
      requests.askEdges(page, view, signal),
    ];
    const [answer, edges] = await Promise.all(asked).catch((error) => {
      this.failure = error.name === "AbortError" ? null : error.message;
      throw error;
    });
    if (signal.aborted) return;
    this.takeWarnings(runs, answer.warnings);
    for (const given of answer.workloads) {
      const run = findRun(runs, given);
      const held = this.held.get(run.key) ?? this.add(run.key);
      // Of two cursors the earlier one: what it returns once more changes nothing.
      if (held.cursor === null || held.names.size === 0) held.cursor = given.cursor;
      for (const name of names) {
        const series = seriesOfRun(answer, run, name, given.sampling?.bucket_width ?? null);
        const sides = edges.map((side) => filterSeries(side, run, name));
        held.byName.set(name, joinEdges(series, ...sides, requests.axisOf(view)));
        held.names.add(name);
      }
      Object.assign(held, { most, begin: requests.beginOf(run, view) });
      keepPlaces(held, view, names);
    }
  }

  /** The iterations of the range of a metric that is shown; of several runs, each has its own. */
  findIterations(runs, { axis, xRange }) {
    const held = runs.length === 1 && xRange && !AXES.includes(axis) && this.held.get(runs[0].key);
    if (held?.whole?.axis !== axis) return null;
    return findIterations([...held.whole.series, ...held.whole.finer], xRange);
  }

  /**
   * Apply the changes of `runs` since the last call. Return the keys of the runs that have changed or that can, or can
   * no longer, be read; and whether all is to be read again.
   */
  async follow(runs, view, signal) {
    const due = runs.filter((run) => this.held.get(run.key)?.cursor);
    // A run without an answer so far, such as one whose copy is being built, is asked for once more.
    const isLacking = due.length < runs.length;
    if (!due.length) return { changedRuns: [], mustReload: isLacking };
    const names = [...new Set(view.metrics.flat())];
    const most = this.held.get(due[0].key).most;
    const cursor = due.map((run) => this.held.get(run.key).cursor).join(".");
    const answer = await requests.askChanges(due, names, view, most, cursor, signal);
    if (signal.aborted) return { changedRuns: [], mustReload: false };
    const before = this.warnings;
    this.takeWarnings(due, answer.warnings);
    const turned = findTurned(before, this.warnings);
    const changed = answer.workloads
      .map((given) => this.update(findRun(due, given), names, given, answer))
      .filter(Boolean);
    // Changes along a metric come without positions; all that is there now, without the range.
    const isCoarse = !this.isWhole && answer.workloads.some(({ reset }) => reset);
    if (isCoarse || (changed.length && !["iteration", "time"].includes(requests.axisOf(view)))) this.isStale = true;
    return { changedRuns: [...new Set([...changed, ...turned])], mustReload: this.isStale || isLacking };
  }

  /** Take the warnings of an answer about `runs`; those of other runs stay. */
  takeWarnings(runs, warnings) {
    this.warnings = [...this.warnings.filter((each) => !findRun(runs, each)), ...warnings];
  }

  /** Return the key of a run that has changed, else null. */
  update(run, names, given, answer) {
    const held = this.held.get(run.key);
    held.cursor = given.cursor;
    if (!given.reset && !given.changed.length) return null;
    for (const name of names) {
      const series = filterSeries(answer.series, run, name);
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
    const none = { cursor: null, most: requests.LEAST_POINTS, begin: null, whole: null };
    this.held.set(key, { byName: new Map(), names: new Set(), ...none });
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
}

const copy = ([key, { byName, names, cursor, most, begin }]) => [
  key,
  { byName: new Map(byName), names: new Set(names), cursor, most, begin },
];

const isOf = ({ cluster, workload_uid: uid }, run) => cluster === run.cluster && uid === run.uid;

/** The keys of the runs that are in one of two lists of warnings alone. */
function findTurned(before, after) {
  const [one, other] = [before, after].map((warnings) => new Set(warnings.map(keyIn)));
  return [...[...one].filter((key) => !other.has(key)), ...[...other].filter((key) => !one.has(key))];
}

const findRun = (runs, given) => runs.find((run) => isOf(given, run));

const filterSeries = (series, run, name) => series.filter((each) => each.metric_name === name && isOf(each, run));

const seriesOfRun = (answer, run, name, width) =>
  filterSeries(answer.series, run, name).map((each) => holdSeries(each, width));

/** Keep where iterations are on the axis: by the series of the whole range, and by the last ones of a part of it. */
function keepPlaces(held, { axis, xRange }, names) {
  const series = names.flatMap((name) => held.byName.get(name));
  const isOther = held.whole?.axis !== axis;
  if (!xRange && (isOther || series.length)) held.whole = { axis, series, finer: [] };
  if (xRange && !isOther) held.whole.finer = series;
}

/** A preview is a courtesy: trouble that stays is reported by the request for the full series. */
function ignore(error) {
  if (error.name === "AbortError") throw error;
  return null;
}
