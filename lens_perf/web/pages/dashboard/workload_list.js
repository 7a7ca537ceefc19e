// The list of workloads: search, cluster, pages, and which of them are picked.

import { listClusters, listWorkloads } from "./api_client.js";
import { age, make, number } from "./words.js";
import { isSame } from "./view_state.js";

const SETTLE_MS = 200;
const PAGE = 30;
const LARGEST_PAGE = 1000;

export class WorkloadList {
  constructor({ onPick, onTrouble, onWarnings }) {
    Object.assign(this, { onPick, onTrouble, onWarnings });
    this.list = document.querySelector("#workloads");
    this.more = document.querySelector("#more");
    this.search = document.querySelector("#search");
    this.cluster = document.querySelector("#cluster");
    // Null until the service has told.
    this.found = null;
    this.picked = [];
    this.next = null;
    this.request = null;
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.load(), SETTLE_MS);
    });
    this.cluster.addEventListener("change", () => this.load());
    this.more.addEventListener("click", () => this.load({ further: true }));
    document.querySelector("#find").addEventListener("submit", (event) => event.preventDefault());
  }

  /** Fill the choice of clusters; one alone is no choice. */
  async loadClusters() {
    const { clusters } = await listClusters();
    const options = clusters.map(({ name, reachable }) => make("option", { value: name }, reachable ? name : `${name} (away)`));
    this.cluster.replaceChildren(make("option", { value: "" }, "all clusters"), ...options);
    const isChoice = clusters.length > 1;
    this.cluster.hidden = !isChoice;
    document.querySelector("label[for=cluster]").hidden = !isChoice;
  }

  /** Ask for the first page, or, with `further`, for the next one; `quiet` asks anew for as many as are shown. */
  async load({ further = false, quiet = false } = {}) {
    if (quiet && this.request) return;
    this.request?.abort();
    const request = (this.request = new AbortController());
    const size = quiet ? Math.min(LARGEST_PAGE, Math.max(PAGE, this.found?.length ?? 0)) : PAGE;
    if (!quiet && !further) this.showLoading();
    try {
      const page = await listWorkloads(this.search.value.trim(), this.cluster.value, size, further ? this.next : null, request.signal);
      this.found = further ? [...(this.found ?? []), ...page.workloads] : page.workloads;
      this.next = page.next_page_token;
      this.onWarnings(page.warnings);
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.stopLoading();
      this.onTrouble(error, () => this.load({ further }));
    } finally {
      if (this.request === request) this.request = null;
    }
  }

  showLoading() {
    this.list.setAttribute("aria-busy", "true");
    if (!this.found?.length) this.list.replaceChildren(...Array.from({ length: 6 }, () => make("li", { className: "skeleton" })));
  }

  stopLoading() {
    this.list.setAttribute("aria-busy", "false");
    if (!this.found) this.list.replaceChildren();
  }

  /** Show which workloads are picked, in their colours. */
  pick(workloads, runs) {
    this.picked = workloads;
    this.runs = runs;
    this.show();
  }

  show() {
    if (!this.found) return;
    this.list.setAttribute("aria-busy", "false");
    this.more.hidden = this.next === null;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.list.replaceChildren(...this.found.map((found) => this.item(found)));
    if (!this.found.length) {
      const words = this.search.value ? "No workload has this in its name." : "No workloads yet. lens-perf import brings some.";
      this.list.replaceChildren(make("li", { className: "none" }, words));
    }
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  item(found) {
    const workload = { cluster: found.cluster, uid: found.workload_uid };
    const place = this.picked.findIndex((each) => isSame(each, workload));
    const box = make("input", { type: "checkbox", checked: place >= 0 });
    box.dataset.key = `${workload.cluster}/${workload.uid}`;
    box.addEventListener("change", () => this.onPick(workload, box.checked));
    const dot = make("span", { className: "dot" });
    if (place >= 0) dot.style.backgroundColor = this.runs[place].colour;
    const told = [
      this.cluster.hidden ? "" : found.cluster, found.last_iteration === null ? "" : `iteration ${number(found.last_iteration)}`,
      age(found.last_timestamp),
    ].filter(Boolean).join(" · ");
    return make("li", {}, make("label", {}, box, dot, make("span", { className: "name" }, workload.uid), make("span", { className: "told" }, told)));
  }
}
