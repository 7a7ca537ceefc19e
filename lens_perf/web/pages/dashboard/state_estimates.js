// Estimates the state of a workload from its entry in the list, for those that are too long to be read for the list
// alone. docs/progress.rst has the rules of the service; usual waits, which need the records, are left out. No DOM.

const SECOND = 1000;
const DAY = 86_400 * SECOND;
// Without the usual waits, a pause such as an evaluation must not count as a stall.
const LEAST_SILENCE = 600 * SECOND;
const SPACING_FACTOR = 10;
const ENDED_FACTOR = 10;

/** The state at `now`, in milliseconds; `target` is the last iteration that is planned, or null. Null without times. */
export function estimateState({ records, first_timestamp: first, last_timestamp: last, last_iteration }, target, now) {
  if (last === null || last_iteration === null) return null;
  if (target !== null && last_iteration >= target) return "finished";
  const silenceLimit = Math.max(LEAST_SILENCE, SPACING_FACTOR * ((last - first) / Math.max(1, records - 1)));
  if (now - last > Math.max(DAY, ENDED_FACTOR * silenceLimit)) return "ended";
  return now - last > silenceLimit ? "stalled" : "running";
}
