// Loads the listed workloads: page by page, or all of them where the browser has to search or sort. No DOM.

import { parseSearch, sortWorkloads } from "./workload_search.js";

const PAGE = 30;
const LARGEST_PAGE = 1000;
const MOST_PAGES = 10;

export class WorkloadSource {
  constructor(client, states) {
    Object.assign(this, { client, states });
    this.found = null; // null until the first answer
    this.total = 0;
    this.next = null;
    this.limit = PAGE;
    this.warnings = [];
  }

  /** The workloads to show. */
  get shown() {
    return this.found?.slice(0, this.limit) ?? [];
  }

  get hasMore() {
    return this.found !== null && (this.found.length > this.limit || this.next !== null);
  }

  /** Load what `typed` selects, in `order`; with `keep`, as many as are shown now. */
  async load({ typed, cluster, order }, signal, { keep = false } = {}) {
    if (!keep) this.limit = PAGE;
    const search = parseSearch(typed);
    Object.assign(this, { query: { typed, cluster, order }, search });
    if (search.isPlain && order === "active") await this.loadPage(null, Math.min(LARGEST_PAGE, this.limit), signal);
    else await this.loadAll(signal);
  }

  async more(signal) {
    this.limit += PAGE;
    if (this.found.length < this.limit && this.next !== null) await this.loadPage(this.next, PAGE, signal);
  }

  /** Return every workload that matches. */
  async listMatching(signal) {
    if (this.next !== null) await this.loadAll(signal);
    return this.found;
  }

  async loadPage(token, size, signal) {
    const page = await this.client.listWorkloads(this.search.text, this.query.cluster, size, token, signal);
    this.found = token === null ? page.workloads : [...this.found, ...page.workloads];
    Object.assign(this, {
      total: page.total_count,
      next: page.next_page_token,
      warnings: page.warnings,
      isPartial: false,
    });
  }

  async loadAll(signal) {
    const all = [];
    let token = null;
    let warnings = [];
    for (let count = 0; count < MOST_PAGES; count += 1) {
      const page = await this.client.listWorkloads(this.search.text, this.query.cluster, LARGEST_PAGE, token, signal);
      all.push(...page.workloads);
      ({ next_page_token: token, warnings } = page);
      if (token === null) break;
    }
    const matching = all.filter(({ workload_uid: uid }) => this.search.matches(uid));
    // What is no regular expression selects nothing, of all workloads.
    const total = this.search.error ? all.length : matching.length;
    Object.assign(this, { found: matching, total, next: null, warnings, isPartial: token !== null });
    this.sort();
  }

  /** Sort again, after states have become known. */
  sort() {
    const stated = this.found.map((each) => ({
      ...each,
      state: this.states.stateOf(`${each.cluster}/${each.workload_uid}`),
    }));
    this.found = sortWorkloads(stated, this.query.order);
  }
}
