// Aligns lines at restarts: what an attempt redid beside what was discarded for it, both from the restart on.

import { take } from "./chart_clip.js";

// Around the iterations that were trained again, this share of them is shown, too.
const MARGIN = 0.25;

/**
 * Return for each restart the line of the attempt that redid iterations and, as discarded, that of the attempt before,
 * with the restart at x = 0. Lines of attempts that redid nothing are left out.
 */
export function alignAtRestarts(lines, attemptsOf) {
  const aligned = [];
  for (const line of lines) {
    const attempts = attemptsOf(line.run);
    const place = attempts.findIndex((attempt) => attempt.number === line.attempt?.number);
    const before = place > 0 ? findDiscarded(lines, line, attempts[place - 1]) : null;
    if (!before) continue;
    const from = attempts[place].firstIteration;
    const [redone, discarded] = [line, before].map((each) => cut(each, from));
    if (!redone.x.length || !discarded.x.length) continue;
    const end = discarded.x[discarded.x.length - 1];
    const most = end + Math.max(1, end * MARGIN);
    aligned.push(
      clip({ ...redone, kept: redone.x.length }, most),
      clip({ ...discarded, kept: 0, label: `${discarded.label} · discarded` }, most),
    );
  }
  return aligned;
}

function findDiscarded(lines, line, attempt) {
  if (attempt.redoneFrom === null || attempt.redoneFrom === undefined) return null;
  return (
    lines.find(
      (each) =>
        each.run === line.run &&
        each.metric === line.metric &&
        each.source === line.source &&
        each.attempt?.number === attempt.number &&
        each.kept < each.x.length,
    ) ?? null
  );
}

/** The points from the iteration `from` on, with the first of them at x = 0. */
function cut(line, from) {
  const begin = line.iterations.findIndex((iteration) => iteration >= from);
  if (begin < 0) return take(line, 0, 0);
  const rest = take(line, begin, line.x.length);
  const zero =
    rest.iterations[0] === from || !Number.isFinite(rest.iterations[0])
      ? rest.x[0]
      : rest.x[0] - (rest.iterations[0] - from) * slope(rest);
  return { ...rest, x: rest.x.map((at) => at - zero) };
}

/** The distance on the x axis of an iteration. */
function slope({ x, iterations }) {
  const last = x.length - 1;
  const count = iterations[last] - iterations[0];
  return count > 0 ? (x[last] - x[0]) / count : 0;
}

function clip(line, most) {
  const end = line.x.findIndex((at) => at > most);
  return end < 0 ? line : take(line, 0, end);
}
