// What happened to the runs in view since they were read last, and the words for it. No DOM.

const NEWS = { stalled: "has stalled", ended: "has ended", finished: "has finished", running: "is running again" };

/** Return what changed between two lists of runs: [{key, name, text, isNews}]; isNews: worth a notification. */
export function findEvents(before, after) {
  const known = new Map(before.map((run) => [run.key, run]));
  return after.flatMap((run) => {
    const old = known.get(run.key);
    if (!old?.state || !run.state) return [];
    return [...findState(old, run), ...findNonFinite(old, run)].map((event) => ({
      key: run.key,
      name: run.name,
      ...event,
    }));
  });
}

function findState(old, run) {
  if (old.state === run.state) return [];
  return [{ text: `${run.name} ${NEWS[run.state]}`, isNews: run.state !== "running" }];
}

function findNonFinite(old, run) {
  const names = (of) => of.progress.non_finite.map(({ metric_name: name }) => name);
  const added = names(run).filter((name) => !names(old).includes(name));
  if (!added.length) return [];
  const listed =
    added.length > 3 ? `${added.slice(0, 3).join(", ")} and ${added.length - 3} more metrics` : added.join(", ");
  return [{ text: `${run.name}: ${listed} not finite`, isNews: true }];
}

const OLD = "not up to date";
const RANKS = ["trouble", "stalled", "running", "ended", "finished"];

/** Return the state shown for all runs: the worst, else the most active; null if none is known now. */
export function sumUp(runs) {
  const kinds = runs
    .filter(({ state }) => state)
    .map((run) => (run.progress.non_finite.length ? "trouble" : run.asOf ? null : run.state));
  return RANKS.find((rank) => kinds.includes(rank)) ?? null;
}

/** Return the title of the tab. */
export function nameTab(runs, page) {
  const known = runs.filter(({ state }) => state);
  if (!runs.length) return page;
  if (runs.length === 1) {
    const [run] = runs;
    const words = known.length ? describe(run) : "";
    return [words, run.name, page].filter(Boolean).join(" · ");
  }
  const counts = RANKS.slice(1)
    .map((state) => [known.filter((run) => run.state === state && !run.asOf).length, state])
    .concat([[known.filter(({ asOf }) => asOf).length, OLD]])
    .filter(([count]) => count);
  const alarm = known.some(({ progress }) => progress.non_finite.length) ? "⚠ " : "";
  const states = counts.map(([count, state]) => `${count} ${state}`).join(", ");
  return `${alarm}${states || `${runs.length} runs`} · ${page}`;
}

function describe({ state, progress, asOf }) {
  const share = progress.share_done === null ? "" : ` ${Math.floor(100 * progress.share_done)} %`;
  const alarm = progress.non_finite.length ? "⚠ " : "";
  if (asOf) return `${alarm}${OLD[0].toUpperCase()}${OLD.slice(1)}`;
  return `${alarm}${state[0].toUpperCase()}${state.slice(1)}${state === "running" ? share : ""}`;
}
