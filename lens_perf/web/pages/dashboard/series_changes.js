// Holds the points of series as columns, and brings them up to date by the rule of docs/polling.rst.

const NON_FINITE = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

const toNumber = (value) =>
  value === null || value === undefined ? NaN : typeof value === "number" ? value : (NON_FINITE[value] ?? NaN);
const toColumn = (values) => Float64Array.from(values, toNumber);

/** What distinguishes the series of a workload. */
const keyOf = ({ metric, source, serial }) => JSON.stringify([metric, source, serial]);

/**
 * Return a series of `layout=columns` as columns of float64: NaN means no iteration, no time, or a value that is
 * NaN. `width` is that of the buckets it was sampled by, null if all its points are there.
 */
export function holdSeries(given, width = null) {
  return {
    metric: given.metric_name,
    source: given.data_source,
    serial: given.serial ?? null,
    width,
    iterations: toColumn(given.iterations),
    times: toColumn(given.timestamps),
    values: toColumn(given.values),
    positions: given.axis_values ? toColumn(given.axis_values) : null,
  };
}

/** Return `held` without the points of the pairs `changed`, and with those of `given`. */
export function applyChanges(held, changed, given) {
  const added = new Map(given.map((each) => holdSeries(each)).map((each) => [keyOf(each), each]));
  const dropped = new Map();
  for (const { data_source: source, iteration } of changed) {
    if (!dropped.has(source)) dropped.set(source, new Set());
    dropped.get(source).add(iteration === null ? NaN : iteration);
  }
  const result = held.map((series) => {
    const rest = drop(series, dropped.get(series.source));
    const more = added.get(keyOf(series));
    added.delete(keyOf(series));
    return more ? join(rest, more) : rest;
  });
  return [...result, ...added.values()].filter((series) => series.values.length > 0);
}

function drop(series, iterations) {
  if (!iterations || !series.iterations.some((iteration) => iterations.has(iteration))) return series;
  const keep = (column) => column && column.filter((_, index) => !iterations.has(series.iterations[index]));
  return mapColumns(series, keep);
}

function join(series, more) {
  const both = (column, name) => {
    if (!column) return null;
    const joined = new Float64Array(column.length + more.values.length);
    joined.set(column);
    joined.set(more[name] ?? new Float64Array(more.values.length).fill(NaN), column.length);
    return joined;
  };
  return mapColumns(series, both);
}

const mapColumns = (series, change) => ({
  ...series,
  ...Object.fromEntries(
    ["iterations", "times", "values", "positions"].map((name) => [name, change(series[name], name)]),
  ),
});
