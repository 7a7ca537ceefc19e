// Lays out the lines of a chart: one for each metric, data source and attempt of each visible run, along its x axis.

import { styleOf } from "./colours.js";
import { pickUnbiased, smooth } from "./smoothing.js";

// A pause this many times as long as what is usual is a gap of a line along time.
const GAP_FACTOR = 20;
const TIMES = ["time", "relative_time"];

/** When a run began: the zero of relative time. */
function findBegin(run, series) {
  const times = series.flatMap(({ times }) => [...times.subarray(0, 1)]).filter(Number.isFinite);
  return run.progress?.first_timestamp ?? (times.length ? Math.min(...times) : 0);
}

/**
 * The attempt of the points of `series`, as its place among `attempts`: by serial where that is unique, else by time.
 * A number if it is that of all points, else an array.
 */
function findAttempts(series, attempts) {
  if (attempts.length < 2) return 0;
  const same = attempts.flatMap(({ serial }, place) => (serial === series.serial ? [place] : []));
  if (same.length === 1) return same[0];
  const among = same.length ? same : attempts.map((_, place) => place);
  return Int16Array.from(series.times, (time) => {
    const later = among.findIndex((place) => attempts[place].firstTimestamp > time);
    return later < 0 ? among[among.length - 1] : among[Math.max(0, later - 1)];
  });
}

/** The lines of a chart of `names`; `seriesOf(key, name)` returns the held series of a run. */
export function layOutLines(names, runs, seriesOf, view) {
  const lines = [];
  const visible = runs.filter(({ isVisible }) => isVisible);
  const all = [
    ...new Set(visible.flatMap((run) => names.flatMap((name) => seriesOf(run.key, name).map(({ source }) => source)))),
  ];
  for (const run of visible) {
    for (const name of names) {
      const held = seriesOf(run.key, name);
      const sources = [...new Set(held.map(({ source }) => source))];
      for (const source of sources) {
        // A metric of a data source looks alike in all runs.
        const variant = names.indexOf(name) * all.length + all.indexOf(source);
        const label = [run.name, names.length > 1 ? name : "", sources.length > 1 ? (source ?? "no source") : ""]
          .filter(Boolean)
          .join(" · ");
        const series = held.filter((each) => each.source === source);
        lines.push(
          ...layOutRun(run, series, view).map((line) => ({
            ...line,
            isApart: run.isSplit && line.attempt !== null,
            metric: name,
            source,
            seriesLabel: label,
            label: addAttempt(label, run, line),
            ...chooseStyle(run, line, variant),
          })),
        );
      }
    }
  }
  return lines;
}

const addAttempt = (label, run, { attempt }) =>
  run.isSplit && attempt ? `${label} · attempt ${attempt.number}` : label;

function chooseStyle(run, { attempt }, variant) {
  const { colour, dash } = (run.isSplit && attempt) || run;
  const variantDash = styleOf(0, 0, variant).dash;
  if (variant === 0) return { colour, dash: dash ?? [], variantDash };
  const shade = run.isSplit && attempt ? run.attempts.length - 1 - run.attempts.indexOf(attempt) : 0;
  return { ...styleOf(run.slot, shade, variant), variantDash };
}

/** The lines of the series of one metric and data source of a run: one for each attempt. */
function layOutRun(run, held, view) {
  const attempts = run.attempts ?? [];
  const parts = new Map();
  for (const series of held) {
    const places = findAttempts(series, attempts);
    for (const place of typeof places === "number" ? [places] : new Set(places)) {
      if (!parts.has(place)) parts.set(place, []);
      parts.get(place).push(typeof places === "number" ? series : select(series, indicesOf(places, place)));
    }
  }
  const begin = findBegin(run, held);
  return [...parts]
    .sort(([one], [other]) => one - other)
    .map(([place, chunks]) => ({ attempt: attempts[place] ?? null, chunks }))
    .filter(({ attempt }) => !run.isSplit || !attempt || attempt.isVisible !== false)
    .flatMap(({ attempt, chunks }) =>
      makeLines(chunks.reduce(concatenate), attempt, view.axis, begin).map((line) => ({
        run: run.key,
        uid: run.uid,
        name: run.name,
        attempt,
        ...line,
      })),
    )
    .filter(({ x }) => x.length > 0);
}

const COLUMNS = ["iterations", "times", "values", "positions"];
const mapColumns = (series, change) => ({
  ...series,
  ...Object.fromEntries(COLUMNS.map((name) => [name, series[name] && change(name)])),
});
const select = (series, indices) =>
  mapColumns(series, (name) => Float64Array.from(indices, (index) => series[name][index]));
const concatenate = (one, other) =>
  mapColumns(one, (name) => Float64Array.from([...one[name], ...(other[name] ?? [])]));

function indicesOf(places, wanted) {
  const indices = [];
  places.forEach((place, index) => {
    if (place === wanted) indices.push(index);
  });
  return indices;
}

function findPositions(series, axis, begin) {
  if (axis === "iteration") return series.iterations;
  if (axis === "time") return series.times;
  return axis === "relative_time"
    ? series.times.map((time) => time - begin)
    : (series.positions ?? new Float64Array(series.values.length).fill(NaN));
}

/** The line of an attempt; two if its discarded points are not the last along `axis`, such as a metric that falls. */
function makeLines(series, attempt, axis, begin) {
  const line = makeLine(series, attempt, axis, begin);
  const redoneFrom = attempt?.redoneFrom ?? Infinity;
  if (!line.iterations.subarray(line.kept).some((iteration) => iteration < redoneFrom)) return [line];
  const isDiscarded = Array.from(series.iterations, (iteration) => iteration >= redoneFrom);
  return [false, true].map((wanted) => makeLine(select(series, indicesOf(isDiscarded, wanted)), attempt, axis, begin));
}

/** A line along `axis`: points without a position are left out, values that are not finite are NaN in `y`. */
function makeLine(series, attempt, axis, begin) {
  const [sorted, x] = sort(series, findPositions(series, axis, begin));
  const { values, iterations, times } = sorted;
  const discarded = iterations.findIndex((iteration) => iteration >= (attempt?.redoneFrom ?? Infinity));
  const along = axis === "relative_time" ? times : x;
  return {
    x,
    y: values.every(Number.isFinite) ? values : values.map((value) => (Number.isFinite(value) ? value : NaN)),
    values,
    iterations,
    times,
    kept: discarded < 0 ? x.length : discarded,
    gaps: TIMES.includes(axis) ? findGaps(x) : [],
    unbiased: pickUnbiased(along, series.width ?? 0),
  };
}

/** Return `series` and its positions `x` in ascending order of them, points of one position by time. */
function sort(series, x) {
  if (x.every((at, index) => Number.isFinite(at) && (index === 0 || at >= x[index - 1]))) return [series, x];
  const order = [...x.keys()].filter((index) => Number.isFinite(x[index]));
  order.sort((one, other) => x[one] - x[other] || series.times[one] - series.times[other] || one - other);
  return [select(series, order), Float64Array.from(order, (index) => x[index])];
}

/**
 * The places of points before which there is a gap. Sampled points are not evenly spread, so the usual wait is the 90th
 * percentile.
 */
export function findGaps(x) {
  const waits = x.slice(1).map((at, index) => at - x[index]);
  const usual = waits.slice().sort()[Math.floor(waits.length * 0.9)];
  const places = [];
  waits.forEach((wait, index) => {
    if (usual > 0 && wait > GAP_FACTOR * usual) places.push(index + 1);
  });
  return places;
}

/** Add to each line its smoothed line, as `trend`, which has fewer points; null without smoothing. */
export function addTrends(lines, smoothing, extent) {
  if (!smoothing || smoothing.kind === "none" || !(smoothing.weight > 0))
    return lines.map((line) => ({ ...line, trend: null }));
  return lines.map((line) => {
    const x = Float64Array.from(line.unbiased, (place) => line.x[place]);
    const y = Float64Array.from(line.unbiased, (place) => line.y[place]);
    const after = (place) => line.unbiased.filter((each) => each < place).length;
    return {
      ...line,
      trend: { x, y: smooth(x, y, smoothing, extent), kept: after(line.kept), gaps: line.gaps.map(after) },
    };
  });
}

/** Where runs were restarted, on the x axis: by the attempts that progress counts. */
export function listRestarts(runs, axis) {
  return runs
    .filter(({ isVisible }) => isVisible)
    .flatMap((run) =>
      (run.attempts ?? [])
        .slice(1)
        .filter(({ isVisible }) => !run.isSplit || isVisible !== false)
        .map(({ number, firstIteration, firstTimestamp }) => ({
          run: run.key,
          name: run.name,
          colour: run.colour,
          number,
          at:
            axis === "iteration"
              ? firstIteration
              : axis === "time"
                ? firstTimestamp
                : axis === "relative_time"
                  ? firstTimestamp - (run.progress?.first_timestamp ?? 0)
                  : NaN,
        }))
        .filter(({ at }) => Number.isFinite(at)),
    );
}

/** The values that are not finite, each `{x, kind, colour}`. */
export const listNonFinite = (lines) =>
  lines.flatMap(({ x, values, colour, run }) => {
    const found = [];
    values.forEach((value, index) => {
      if (!Number.isFinite(value))
        found.push({
          x: x[index],
          colour,
          run,
          kind: Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity",
        });
    });
    return found;
  });
