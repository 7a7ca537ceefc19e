// Writes the run table as CSV: numbers instead of texts for reading.

import { writeCsv } from "./csv.js";

// The names of columns in the file, where they differ from those of the table.
const TITLES = { eta: "eta_seconds", pace: "seconds_per_iteration", last: "last_timestamp" };

/**
 * The table of `runs`, in their order, with the columns of `listColumns`, of which the first one is the name. The
 * target of the iterations has a column of its own, the last one.
 */
export function writeRuns(runs, [, ...columns]) {
  const hasTarget = columns.some(({ name }) => name === "iteration");
  const titles = ["run", "cluster", ...columns.map(titleOf), ...(hasTarget ? ["target_iteration"] : [])];
  const rows = runs.map((run) => [
    run.uid,
    run.cluster,
    ...columns.map((column) => readCell(column.describe(run))),
    ...(hasTarget ? [run.progress?.target_iteration ?? null] : []),
  ]);
  return writeCsv([titles, ...rows]);
}

const titleOf = ({ name, metric, heading }) => (metric ? `${metric} ${heading}` : (TITLES[name] ?? name));

/** The value of a cell, or its text if it reports trouble, such as "not finite". */
const readCell = ({ value, text, kind }) => value ?? (kind === "trouble" ? text : null);
