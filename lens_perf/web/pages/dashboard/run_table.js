// The run table: what is known of the runs in view, which of them are shown, and their attempts.

import { makeIcon } from "./chart_icons.js";
import { haveChanged } from "./inputs.js";
import { RunColumnChoice } from "./run_column_choice.js";
import { findSorted, listColumns, nextSort, sortRuns } from "./run_columns.js";
import { writeRuns } from "./run_export.js";
import { makeAttemptRows, makeRunRow, showRun } from "./run_rows.js";
import { showName } from "./names.js";
import { setUpRoving } from "./roving.js";
import { saveCsv } from "./save_file.js";
import { makeScroller } from "./scroll_hint.js";
import { make } from "./words.js";

// Times such as "12 s ago" are at most this much behind, in milliseconds.
const AGE_STEP = 5000;

export class RunTable {
  /** `change` alters the view, `onRemove` takes a run out of it, `onHover` is given the key of a run. */
  constructor(element, { change, onRemove, onHover }) {
    Object.assign(this, { element, change });
    this.inputs = [];
    this.rows = new Map();
    this.expanded = new Set();
    this.actions = {
      onRemove,
      onHover,
      onVisible: (key, isVisible) => this.setVisible([key], isVisible),
      onExpand: (key) => this.toggleAttempts(key),
      onApart: (run, isApart) => this.setAttempts(run, isApart ? run.attempts.map(({ number }) => number) : null),
      onAttempt: (run, number, isVisible) => this.setAttempt(run, number, isVisible),
    };
    this.title = make("span");
    this.details = make("details", { className: "panel", open: true });
    this.headings = make("thead");
    this.body = make("tbody");
    this.table = make("table", {}, make("caption", { className: "unseen" }, "Runs"), this.headings, this.body);
    const tools = this.makeTools();
    this.details.append(make("summary", {}, this.title), tools, makeScroller(this.table));
    this.details.addEventListener("toggle", () => this.noteCollapse());
    element.append(this.details);
    const refreshes = [tools, this.table].map((each) => setUpRoving(each));
    this.refresh = () => refreshes.forEach((refresh) => refresh());
  }

  makeTools() {
    this.choice = new RunColumnChoice((partial) => this.chooseColumns(partial));
    const tools = make("div", { className: "tools" }, this.choice.element, this.makeSaveButton());
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Run table");
    return tools;
  }

  makeSaveButton() {
    const button = make("button", { type: "button", className: "quiet", title: "Download as CSV" });
    button.append(makeIcon("download"));
    button.setAttribute("aria-label", "Download the runs as CSV");
    button.addEventListener("click", () => {
      const columns = this.listColumns(this.view.table);
      saveCsv(writeRuns(sortRuns(this.runs, columns, this.view.table.sort), columns), "runs.csv");
    });
    return button;
  }

  listColumns(table) {
    return listColumns([...new Set(this.view.metrics.flat())], table);
  }

  /** Show other columns; one that is hidden no longer sorts the runs. */
  chooseColumns(partial) {
    const table = { ...this.view.table, ...partial };
    const isSorted = findSorted(this.listColumns(table), table.sort);
    this.change({ table: isSorted ? table : { ...table, sort: null } });
  }

  /** Show `runs`, with values of the metrics that have charts. */
  show(runs, view) {
    Object.assign(this, { runs, view });
    const inputs = listInputs(runs, view);
    if (!haveChanged(this.inputs, inputs)) return;
    this.inputs = inputs;
    this.showChanged(runs, view);
  }

  showChanged(runs, view) {
    this.element.hidden = runs.length === 0;
    this.details.open = !view.table.isCollapsed;
    const shown = runs.filter(({ isVisible }) => isVisible).length;
    this.title.textContent =
      shown === runs.length ? `Runs (${runs.length})` : `Runs (${shown} of ${runs.length} shown)`;
    this.choice.show(view.table);
    const columns = this.listColumns(view.table);
    this.showHeadings(columns);
    this.showRows(sortRuns(runs, columns, view.table.sort), columns);
    this.refresh();
  }

  showHeadings(columns) {
    const key = JSON.stringify([columns.map(({ name }) => name), this.view.table.sort]);
    if (this.headings.dataset.key === key) return;
    this.headings.dataset.key = key;
    const metrics = [...new Set(columns.map(({ metric }) => metric).filter(Boolean))];
    const before = columns.filter(({ metric }) => !metric).length - 1;
    const groups = metrics.map((metric) => makeGroupHeading(metric, this.view.table.values.length));
    keepFocus(this.headings, () =>
      this.headings.replaceChildren(
        // The first cell stays where it is while the table is scrolled sideways, as the names do.
        ...(groups.length
          ? [make("tr", {}, make("td"), before ? make("td", { colSpan: before }) : null, ...groups)]
          : []),
        make("tr", {}, ...columns.map((column) => this.makeHeading(column))),
      ),
    );
  }

  makeHeading({ name, heading, title }) {
    const { sort } = this.view.table;
    const direction = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
    const mark = { ascending: " ▴", descending: " ▾", none: "" }[direction];
    const button = make(
      "button",
      { type: "button", className: "quiet", title: title || `Sort by ${heading}` },
      `${heading}${mark}`,
    );
    button.dataset.key = `sort ${name}`;
    button.addEventListener("click", () =>
      this.change({ table: { ...this.view.table, sort: nextSort(this.view.table.sort, name) } }, { replace: true }),
    );
    const cell = make(
      "th",
      { scope: "col", className: name === "state" ? "of-state" : "" },
      ...(name === "name" ? [this.makeAllBox(), button] : [button]),
    );
    cell.setAttribute("aria-sort", direction);
    return cell;
  }

  makeAllBox() {
    const box = make("input", { type: "checkbox", className: "all", title: "Show all runs, or none" });
    box.dataset.key = "show all";
    box.setAttribute("aria-label", "Show all runs");
    box.addEventListener("change", () =>
      this.setVisible(
        this.runs.map(({ key }) => key),
        box.checked,
      ),
    );
    return box;
  }

  showRows(runs, columns) {
    const all = this.headings.querySelector(".all");
    all.checked = runs.every(({ isVisible }) => isVisible);
    all.indeterminate = !all.checked && runs.some(({ isVisible }) => isVisible);
    for (const key of this.rows.keys()) if (!runs.some((run) => run.key === key)) this.rows.delete(key);
    const wanted = runs.flatMap((run) => [this.showRow(run, columns), ...this.attemptRows(run, columns.length)]);
    if (wanted.length === this.body.rows.length && wanted.every((row, index) => row === this.body.rows[index])) return;
    keepFocus(this.body, () => this.body.replaceChildren(...wanted));
  }

  showRow(run, columns) {
    if (!this.rows.has(run.key)) this.rows.set(run.key, makeRunRow(run, this.actions));
    const parts = this.rows.get(run.key);
    showRun(parts, run, columns, this.expanded.has(run.key));
    return parts.row;
  }

  /** The rows of the attempts of an expanded run; those of the last call while nothing about them has changed. */
  attemptRows(run, columnCount) {
    if (!this.expanded.has(run.key) || run.attempts.length < 2) return [];
    const parts = this.rows.get(run.key);
    const key = JSON.stringify([run.name, run.attempts, run.isSplit, columnCount, run.colour]);
    if (parts.attemptsKey !== key)
      Object.assign(parts, { attemptsKey: key, attemptRows: makeAttemptRows(run, columnCount, this.actions) });
    return parts.attemptRows;
  }

  toggleAttempts(key) {
    if (!this.expanded.delete(key)) this.expanded.add(key);
    this.showChanged(this.runs, this.view);
  }

  setVisible(keys, isVisible) {
    const others = this.view.hidden.filter((key) => !keys.includes(key));
    this.change({ hidden: isVisible ? others : [...others, ...keys] });
  }

  /** Show an attempt or not; to hide one draws the attempts apart. */
  setAttempt(run, number, isVisible) {
    const shown = run.attempts
      .filter((attempt) => attempt.isVisible && attempt.number !== number)
      .map((attempt) => attempt.number);
    this.setAttempts(run, isVisible ? [...shown, number].sort((one, other) => one - other) : shown);
  }

  setAttempts(run, numbers) {
    const { [run.key]: _before, ...others } = this.view.attempts;
    this.change({ attempts: numbers === null ? others : { ...others, [run.key]: numbers } });
  }

  noteCollapse() {
    const isCollapsed = !this.details.open;
    if (!this.view || isCollapsed === this.view.table.isCollapsed) return;
    this.change({ table: { ...this.view.table, isCollapsed } }, { replace: true });
  }
}

const makeGroupHeading = (metric, colSpan) =>
  make("th", { scope: "colgroup", colSpan }, showName(make("span", { className: "name" }), metric));

/**
 * Keep the focus on the control with the same key while `replace` replaces the content of `place`. If that is gone with
 * its run, the same control of the next row gets the focus, else that of the row before, else the page.
 */
function keepFocus(place, replace) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const keys = focused ? listKeys(place, focused) : [];
  replace();
  if (!focused || document.activeElement === focused) return;
  const controls = [...place.querySelectorAll("[data-key]")];
  const found = keys.map((key) => controls.find(({ dataset }) => dataset.key === key)).find(Boolean);
  (found ?? place.closest("main")).focus();
}

/** The keys of the controls that may have the focus of `focused`: its own, then those of the rows below and above. */
function listKeys(place, focused) {
  const { key } = focused.dataset;
  const [kind] = key.split(" ");
  const rows = [...place.rows];
  const index = rows.indexOf(focused.closest("tr"));
  const controls = [...rows.slice(index + 1), ...rows.slice(0, index).reverse()]
    .map((row) => row.querySelector(`[data-key^="${kind} "]:enabled`))
    .filter(Boolean);
  return [key, ...controls.map(({ dataset }) => dataset.key)];
}

/** All that the table depends on, to compare one by one: the charts change more often, such as when they are zoomed. */
function listInputs(runs, { table, metrics }) {
  const rest = runs.map(({ progress, summary, counts, ...run }) => run);
  const now = Math.floor(Date.now() / AGE_STEP);
  return [JSON.stringify([rest, table, metrics, now]), ...runs.flatMap(({ progress, summary }) => [progress, summary])];
}
