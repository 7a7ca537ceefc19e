// The list of workloads: search, order, pages, and which of them are selected.

import * as client from "./api_client.js";
import { showName } from "./names.js";
import { setUpRoving } from "./roving.js";
import { keyIn, keyOf } from "./view_state.js";
import { WorkloadSource } from "./workload_source.js";
import { WorkloadStates } from "./workload_states.js";
import { age, make, moment, number } from "./words.js";

const SETTLE_MS = 200;
const MOST_RUNS = 100; // as many as one request may name
const find = (selector) => document.querySelector(selector);

export class WorkloadList {
  /** `onSelect` is given workloads and whether they are to be in the view; `onTrouble` an error and a way to retry. */
  constructor({ onSelect, onTrouble, onWarnings }) {
    Object.assign(this, { onSelect, onTrouble, onWarnings });
    this.states = new WorkloadStates(client);
    this.source = new WorkloadSource(client, this.states);
    this.list = find("#workloads");
    this.runs = [];
    this.request = null;
    this.refresh = setUpRoving(this.list);
    let timer = 0;
    find("#search").addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.load(), SETTLE_MS);
    });
    for (const name of ["#cluster", "#order"]) find(name).addEventListener("change", () => this.load());
    find("#more").addEventListener("click", () => this.ask((signal) => this.source.more(signal)));
    find("#select-all").addEventListener("click", () =>
      this.ask(async (signal) => this.select(await this.source.listMatching(signal), true)),
    );
    find("#show-running").addEventListener("click", () => {
      this.select(this.findRunning(), true);
      // The button disappears, and the charts do not exist yet.
      find("#content").focus();
    });
    find("#select-none").addEventListener("click", () => this.onSelect(this.runs, false));
    find("#find").addEventListener("submit", (event) => event.preventDefault());
  }

  /** Load the clusters and the list; `report` is given an error and a way to retry, or nothing. */
  async open(report) {
    this.showLoading();
    try {
      await this.loadClusters();
      report();
      // A search that was typed meanwhile stays, with all of its pages.
      await this.load({ quiet: this.source.found !== null });
    } catch (error) {
      this.stopLoading();
      report(error, () => this.open(report));
    }
  }

  /** Fill the choice of clusters; a single one is no choice. */
  async loadClusters() {
    const { clusters } = await client.listClusters();
    const options = clusters.map(({ name, reachable }) =>
      make("option", { value: name }, reachable ? name : `${name} (unreachable)`),
    );
    find("#cluster").replaceChildren(make("option", { value: "" }, "All clusters"), ...options);
    find("#cluster").hidden = clusters.length < 2;
  }

  /** Load what the search selects; `quiet` does so in the background. */
  async load({ quiet = false } = {}) {
    if (quiet && this.request) return;
    if (!quiet) this.showLoading();
    const query = { typed: find("#search").value, cluster: find("#cluster").value, order: find("#order").value };
    await this.ask((signal) => this.source.load(query, signal, { keep: quiet }));
  }

  /** Run one request at a time; the last one counts. */
  async ask(action) {
    this.request?.abort();
    const request = (this.request = new AbortController());
    try {
      await action(request.signal);
      if (request.signal.aborted) return;
      this.onWarnings(this.source.warnings);
      this.show();
      await this.states.load(this.source.shown, request.signal, () => this.showStates());
    } catch (error) {
      if (error.name === "AbortError") return;
      this.stopLoading();
      this.onTrouble(error, () => this.ask(action));
    } finally {
      if (this.request === request) this.request = null;
    }
  }

  showLoading() {
    this.list.setAttribute("aria-busy", "true");
    if (this.source.found?.length) return;
    this.list.replaceChildren(...Array.from({ length: 6 }, () => make("li", { className: "skeleton" })));
    this.shownKey = null;
  }

  stopLoading() {
    this.list.setAttribute("aria-busy", "false");
    if (!this.source.found) this.list.replaceChildren();
  }

  /** Show which workloads are in view, in the colours of their runs. */
  showRuns(runs) {
    this.runs = runs;
    this.states.take(runs);
    this.show();
  }

  select(listed, isSelected) {
    this.onSelect(
      listed.slice(0, MOST_RUNS).map(({ cluster, workload_uid: uid }) => ({ cluster, uid })),
      isSelected,
    );
  }

  showStates() {
    if (this.source.query.order === "state") this.source.sort();
    this.show();
  }

  show() {
    const { found, shown, search, total } = this.source;
    if (!found) return;
    this.list.setAttribute("aria-busy", "false");
    find("#more").hidden = !this.source.hasMore;
    const isUnknown = total === 0 && this.source.warnings.length > 0;
    find("#workload-count").textContent = isUnknown
      ? ""
      : `${number(shown.length)} of ${number(total)}${this.source.isPartial ? "+" : ""}`;
    this.showSelection(search.error ? 0 : total);
    const key = JSON.stringify([
      shown.map((each) => [each, this.describe(each)]),
      this.runs.map((run) => [run.key, run.colour]),
      this.explainEmpty(),
    ]);
    if (key === this.shownKey) return;
    this.shownKey = key;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.list.replaceChildren(
      ...(shown.length
        ? shown.map((each) => this.makeItem(each))
        : [make("li", { className: "none" }, this.explainEmpty())]),
    );
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.refresh();
  }

  /** Why no workload is shown. */
  explainEmpty() {
    const { search, warnings } = this.source;
    if (search.error) return search.error;
    if (warnings.length) return "No workloads of the clusters that answer.";
    return find("#search").value ? "No workload matches." : "No workloads yet. lens-perf import adds some.";
  }

  showSelection(total) {
    const all = find("#select-all");
    all.textContent = `Select all ${number(total)}`;
    all.disabled = total === 0 || total > MOST_RUNS;
    all.title =
      total > MOST_RUNS
        ? `At most ${MOST_RUNS} runs can be shown: search for fewer`
        : "Add all workloads that match to the view";
    find("#select-none").disabled = this.runs.length === 0;
    const { length: count } = this.findRunning();
    const button = find("#show-running");
    button.textContent = `Show the ${count === 1 ? "running workload" : `${count} running workloads`}`;
    button.hidden = count === 0;
  }

  /** Return the listed workloads that are known to run, as many as can be selected. */
  findRunning() {
    const isRunning = (found) => !found.isOld && this.states.stateOf(keyIn(found)) === "running";
    return this.source.shown.filter(isRunning).slice(0, MOST_RUNS);
  }

  /** The facts about a workload: a line, or two where its cluster is one of several. */
  describe(found) {
    const state = found.isOld ? "not up to date" : this.states.stateOf(keyIn(found));
    const activity = [state, found.last_timestamp === null ? "no times" : age(found.last_timestamp)];
    const iteration = found.last_iteration === null ? "" : `iteration ${number(found.last_iteration)}`;
    const lines = find("#cluster").hidden ? [[...activity, iteration]] : [activity, [iteration, found.cluster]];
    return lines.map((facts) => facts.filter(Boolean).join(" · ")).join("\n");
  }

  makeItem(found) {
    const workload = { cluster: found.cluster, uid: found.workload_uid };
    const key = keyOf(workload);
    const run = this.runs.find((each) => each.key === key);
    const box = make("input", { type: "checkbox", checked: Boolean(run) });
    box.dataset.key = key;
    box.addEventListener("change", () => this.onSelect([workload], box.checked));
    const dot = make("span", { className: "dot" });
    if (run) dot.style.backgroundColor = run.colour;
    const name = showName(make("span", { className: "name" }), workload.uid);
    const state = found.isOld ? "" : (this.states.stateOf(key) ?? "");
    const facts = make("span", { className: `facts ${state}` }, this.describe(found));
    if (found.isOld) facts.title = `As of ${moment(found.listedAt)}: cluster ${found.cluster} does not answer`;
    else if (this.states.isEstimate(key))
      facts.title = "Estimated from the time of the last record; select it to read it";
    return make("li", {}, make("label", {}, box, dot, name, facts));
  }
}
