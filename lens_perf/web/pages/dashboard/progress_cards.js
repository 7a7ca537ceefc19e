// The cards that tell how the workloads in view are getting on, and when that is asked for.

import { ApiError, readProgress } from "./api_client.js";
import { REST_FACTOR, keyOf } from "./held_data.js";
import { makeCard } from "./progress_panel.js";

export class ProgressCards {
  /** `onRemove` takes a workload out of the view; `onState` is told what has changed, in words. */
  constructor({ onRemove, onState }) {
    Object.assign(this, { onRemove, onState });
    this.place = document.querySelector("#progress");
    this.workloads = [];
    this.told = new Map();
    this.restUntil = new Map();
  }

  /** Ask about a workload, unless that is being asked, or was but a moment ago. A 401 is thrown, all else is shown. */
  async load(workload) {
    const key = keyOf(workload);
    const began = Date.now();
    if (began < (this.restUntil.get(key) ?? 0)) return;
    this.restUntil.set(key, Infinity);
    const before = this.told.get(key);
    try {
      const progress = await readProgress(workload);
      this.told.set(key, progress);
      const isChange = before?.state && progress.state && before.state !== progress.state;
      if (isChange) this.onState(`${workload.uid} is ${progress.state} now.`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw error;
      this.told.set(key, error);
    } finally {
      this.restUntil.set(key, Date.now() + REST_FACTOR * (Date.now() - began));
    }
    this.show(this.workloads);
  }

  /** Show a card for each of `workloads`; whoever is on a card's button stays there. */
  show(workloads) {
    this.workloads = workloads;
    const active = this.place.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
    const focused = active?.dataset.key;
    this.place.replaceChildren(...workloads.map((workload, index) => {
      const card = makeCard(workload, index, this.told.get(keyOf(workload)) ?? null, () => this.onRemove(workload));
      card.dataset.key = keyOf(workload);
      return card;
    }));
    if (focused) this.place.querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus();
  }
}
