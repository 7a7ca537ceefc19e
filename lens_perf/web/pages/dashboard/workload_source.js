// Loads the listed workloads: page by page, or all of them where the browser has to search or sort. Those of a cluster
// that does not answer are kept as they were listed last. No DOM.

import { keyIn } from "./view_state.js";
import { parseSearch, sortWorkloads } from "./workload_search.js";

const PAGE = 30;
const LARGEST_PAGE = 1000;
const MOST_PAGES = 10;
const UNAVAILABLE = 503;

export class WorkloadSource {
  constructor(client, states) {
    Object.assign(this, { client, states });
    this.found = null; // null until the first answer
    this.total = 0;
    this.next = null;
    this.limit = PAGE;
    this.warnings = [];
    // By key, all workloads that were listed, each with `listedAt`, the time of that in milliseconds.
    this.listed = new Map();
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
    try {
      if (search.isPlain && order === "active") await this.loadPage(null, Math.min(LARGEST_PAGE, this.limit), signal);
      else await this.loadAll(signal);
    } catch (error) {
      // Of all clusters, one that does not answer is a warning.
      if (!cluster || error.status !== UNAVAILABLE) throw error;
      this.take([], 0, [{ cluster, message: error.message }]);
      Object.assign(this, { next: null, isPartial: true });
    }
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
    const before = token === null ? [] : this.found.filter(({ isOld }) => !isOld);
    const listed = [...before, ...page.workloads];
    // The number may include workloads of a cluster that fails only now.
    const isAll = page.warnings.length > 0 && page.next_page_token === null;
    this.take(listed, isAll ? listed.length : page.total_count, page.warnings);
    Object.assign(this, { next: page.next_page_token, isPartial: page.warnings.length > 0 });
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
    this.take(matching, this.search.error ? all.length : matching.length, warnings);
    Object.assign(this, { next: null, isPartial: token !== null || warnings.length > 0 });
    this.sort();
  }

  /** Take what was listed, and what was listed before of the clusters that `warnings` name. */
  take(listed, total, warnings) {
    const now = Date.now();
    for (const each of listed) this.listed.set(keyIn(each), { ...each, listedAt: now });
    const silent = new Set(warnings.map(({ cluster }) => cluster));
    const keys = new Set(listed.map(keyIn));
    const isKept = (each) =>
      silent.has(each.cluster) && !keys.has(keyIn(each)) && this.search.matches(each.workload_uid);
    const kept = [...this.listed.values()].filter(isKept).map((each) => ({ ...each, isOld: true }));
    const found = kept.length ? sortWorkloads([...listed, ...kept], this.query.order) : listed;
    Object.assign(this, { found, total: total + kept.length, warnings });
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
