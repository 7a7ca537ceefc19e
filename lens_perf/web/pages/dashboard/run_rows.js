// The rows of the run table: one for each run, and below it one for each of its attempts.

import { showName } from "./names.js";
import { make, span } from "./words.js";
import { describeAttempt, describeCost } from "./run_columns.js";

/** Make the row of a run; `actions` are called with its key. */
export function makeRunRow(run, actions) {
  const visible = make("input", { type: "checkbox" });
  visible.dataset.key = `show ${run.key}`;
  visible.addEventListener("change", () => actions.onVisible(run.key, visible.checked));
  const expand = make("button", { type: "button", className: "expand" });
  expand.dataset.key = `attempts ${run.key}`;
  expand.addEventListener("click", () => actions.onExpand(run.key));
  const remove = make("button", { type: "button", className: "quiet", title: "Remove from the view" }, "✕");
  remove.dataset.key = `remove ${run.key}`;
  remove.addEventListener("click", () => actions.onRemove(run));
  const swatch = make("span", { className: "swatch" });
  const name = make("span", { className: "name" });
  const head = make("th", { scope: "row" }, make("div", { className: "run" }, visible, expand, swatch, name, remove));
  const row = make("tr", { className: "of-run" }, head);
  row.addEventListener("pointerenter", () => actions.onHover(run.key));
  row.addEventListener("pointerleave", () => actions.onHover(null));
  return { row, visible, expand, swatch, name, remove };
}

/** Show `run` in the row that was made for it. */
export function showRun({ row, visible, expand, swatch, name, remove }, run, columns, isExpanded) {
  visible.checked = run.isVisible;
  visible.setAttribute("aria-label", `Show ${run.name}`);
  remove.setAttribute("aria-label", `Remove ${run.name}`);
  const isOne = run.attempts.length === 1;
  const isSeveral = run.attempts.length > 1;
  expand.classList.toggle("none", !isSeveral);
  expand.disabled = !isSeveral;
  expand.setAttribute("aria-expanded", String(isExpanded && isSeveral));
  expand.setAttribute("aria-label", `${run.attempts.length} ${isOne ? "attempt" : "attempts"} of ${run.name}`);
  setText(expand, isSeveral ? (isExpanded ? "▾" : "▸") : "");
  paint(swatch, run);
  row.classList.toggle("off", !run.isVisible);
  const [first, ...others] = columns.map(({ describe }) => describe(run));
  showName(name, run.uid, { suffix: run.name.slice(run.uid.length), title: first.title });
  while (row.cells.length > columns.length) row.lastChild.remove();
  while (row.cells.length < columns.length) row.append(make("td"));
  others.forEach((cell, index) => showCell(row.cells[index + 1], cell, columns[index + 1].name));
}

function showCell(place, { text, title = "", kind = "", share }, name) {
  setText(place, text);
  if (place.title !== title) place.title = title;
  place.className = name === "state" ? `state-cell ${kind}` : `value ${kind}`;
  if (share === undefined) place.style.removeProperty("--share");
  else place.style.setProperty("--share", `${100 * share}%`);
}

/** Make the rows of the attempts of `run`, which a first one sums up. */
export function makeAttemptRows(run, columnCount, actions) {
  const apart = make("input", { type: "checkbox", checked: run.isSplit });
  apart.dataset.key = `apart ${run.key}`;
  apart.addEventListener("change", () => actions.onApart(run, apart.checked));
  const label = make("label", {}, apart, " Draw attempts apart");
  const cost = make("span", { className: "soft" }, describeCost(run.progress));
  const first = make(
    "tr",
    { className: "of-attempts" },
    make("td", { colSpan: columnCount }, make("div", { className: "attempt" }, label, cost)),
  );
  const listed =
    run.progress.restarts + 1 > run.attempts.length
      ? [makeNote(`The latest ${run.attempts.length} attempts:`, columnCount)]
      : [];
  return [first, ...listed, ...run.attempts.map((attempt) => makeAttemptRow(run, attempt, columnCount, actions))];
}

function makeAttemptRow(run, attempt, columnCount, actions) {
  const words = describeAttempt(attempt);
  const visible = make("input", { type: "checkbox", checked: attempt.isVisible });
  visible.dataset.key = `attempt ${attempt.number} ${run.key}`;
  visible.setAttribute("aria-label", `Show ${words.name} of ${run.name}`);
  visible.addEventListener("change", () => actions.onAttempt(run, attempt.number, visible.checked));
  const swatch = make("span", { className: "swatch" });
  paint(swatch, run.isSplit ? attempt : run);
  const duration = span((attempt.lastTimestamp - attempt.firstTimestamp) / 1000);
  const facts = [words.name, `iterations ${words.iterations}`, `lasted ${duration}`];
  return make(
    "tr",
    { className: "of-attempts" },
    make(
      "td",
      { colSpan: columnCount },
      make(
        "div",
        { className: "attempt" },
        visible,
        swatch,
        ...facts.map((text) => make("span", {}, text)),
        words.discarded ? make("span", { className: "stalled" }, words.discarded) : null,
      ),
    ),
  );
}

const makeNote = (text, columnCount) =>
  make("tr", { className: "of-attempts" }, make("td", { colSpan: columnCount, className: "soft" }, text));

/** Colour a swatch as the line is: dashed where that is. */
function paint(swatch, { colour, dash }) {
  swatch.style.setProperty("--colour", colour);
  swatch.classList.toggle("dashed", dash.length > 0);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
