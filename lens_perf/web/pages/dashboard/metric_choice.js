// Which metrics a view begins with.

const FIRST_METRICS = ["lm_loss", "loss", "train/loss", "train_loss", "accuracy", "learning_rate"];

/** Return the charts of a view that names none: metrics that most people want, else the first two. */
export function chooseFirstMetrics(counts) {
  const known = [...counts].filter(([, count]) => count !== 0).map(([name]) => name);
  const usual = FIRST_METRICS.filter((name) => known.includes(name));
  return (usual.length ? usual : known).slice(0, 2).map((name) => [name]);
}
