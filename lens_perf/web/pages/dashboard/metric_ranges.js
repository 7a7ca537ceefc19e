// Which iterations lie within a range of an axis that is a metric: the API has ranges of iterations and times. No DOM.

/**
 * The iterations, `[first, last]`, between which the lines of `series` pass through `range`, from point to point; an
 * end is null where a line has no point beyond it. Null if no point is known to be near.
 */
export function findIterations(series, range) {
  let [first, last] = [Infinity, -Infinity];
  for (const points of listPoints(series)) {
    for (let index = 0; index < points.length; index += 1) {
      // Between two points the metric takes all values, also where neither of them is within the range.
      const [from, to] = [points[index], points[index + 1] ?? points[index]];
      if (Math.max(from.at, to.at) < range[0] || Math.min(from.at, to.at) > range[1]) continue;
      first = Math.min(first, from.iteration === points[0].iteration ? -Infinity : from.iteration);
      last = Math.max(last, to.iteration === points.at(-1).iteration ? Infinity : to.iteration);
    }
  }
  return first > last ? null : [first, last].map((iteration) => (Number.isFinite(iteration) ? iteration : null));
}

/** The points of each attempt by iteration: those of all its metrics, as they have the positions of their records. */
function listPoints(series) {
  const byAttempt = new Map();
  for (const { source, serial, iterations, positions } of series) {
    const key = JSON.stringify([source, serial]);
    if (!byAttempt.has(key)) byAttempt.set(key, []);
    iterations.forEach((iteration, index) => {
      const at = positions?.[index];
      if (Number.isFinite(iteration) && Number.isFinite(at)) byAttempt.get(key).push({ iteration, at });
    });
  }
  return [...byAttempt.values()].map((points) => points.sort((one, other) => one.iteration - other.iteration));
}
