// The cards that show the progress of the runs in view.

import { makeCard } from "./progress_panel.js";

export class ProgressCards {
  /** `onRemove` takes a run out of the view. */
  constructor({ onRemove }) {
    this.onRemove = onRemove;
    this.place = document.querySelector("#progress");
  }

  /** Show a card for each run; the focus stays on the button it was on. */
  show(runs) {
    const active = this.place.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
    const focused = active?.dataset.key;
    this.place.replaceChildren(...runs.map((run) => {
      const card = makeCard(run, () => this.onRemove(run));
      card.dataset.key = run.key;
      return card;
    }));
    if (focused) this.place.querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus();
  }
}
