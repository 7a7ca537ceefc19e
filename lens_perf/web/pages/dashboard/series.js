// Keeps the points of one series as they come, and cuts them into the segments that a line may connect.

// A pause this many times as long as what is usual breaks a line drawn along time.
const GAP_FACTOR = 20;

/** The points of one metric of one workload and data source. */
export class Series {
  constructor(workload, { metric_name: metric, data_source: source }) {
    this.workload = workload;
    this.metric = metric;
    this.source = source;
    this.points = new Map();
    this.fresh = 0;
  }

  /** Take points as `layout=columns` has them; one that was there is corrected. Returns how many there were. */
  take({ iterations, timestamps, values }) {
    for (let index = 0; index < values.length; index += 1) {
      const point = { iteration: iterations[index], time: timestamps[index], value: values[index] };
      this.points.set(`${point.iteration}@${point.time}`, point);
    }
    this.fresh += values.length;
    return values.length;
  }

  /** Drop the points of pairs of data source and iteration. */
  drop(pairs) {
    const iterations = new Set(pairs.filter((pair) => pair.data_source === this.source).map((pair) => pair.iteration));
    for (const [key, point] of this.points) if (iterations.has(point.iteration)) this.points.delete(key);
  }

  /** What a chart draws along `axis`: segments of finite points, and where there are restarts and other values. */
  cut(axis) {
    const along = axis === "time" ? "time" : "iteration";
    const points = [...this.points.values()].filter((point) => point[along] !== null);
    points.sort((one, other) => one.time - other.time || one.iteration - other.iteration);
    const gap = axis === "time" ? GAP_FACTOR * usual(points) : Infinity;
    const segments = [];
    const restarts = [];
    const others = [];
    let segment = null;
    let last = null;
    for (const point of points) {
      if (typeof point.value !== "number") {
        others.push({ at: point[along], kind: point.value });
        segment = null;
        continue;
      }
      const isRestart = last !== null && point.iteration !== null && point.iteration < last.iteration;
      if (isRestart) restarts.push(point[along]);
      if (segment === null || isRestart || point.time - last.time > gap) segments.push((segment = { x: [], y: [] }));
      if (segment.x.at(-1) !== point[along]) {
        segment.x.push(point[along]);
        segment.y.push(point.value);
      } else if (along === "iteration") segment.y[segment.y.length - 1] = point.value;
      last = point;
    }
    return { segments, restarts, others };
  }
}

/** The 90th percentile of the time between points: sampled ones are not evenly spread. */
function usual(points) {
  const waits = [];
  for (let index = 1; index < points.length; index += 1) waits.push(points[index].time - points[index - 1].time);
  waits.sort((one, other) => one - other);
  return waits[Math.floor(waits.length * 0.9)] || Infinity;
}

/** The exponential moving average of `values`, without the pull of its beginning. */
export function smooth(values, weight) {
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    sum = sum * weight + value * (1 - weight);
    total = total * weight + (1 - weight);
    return sum / total;
  });
}
