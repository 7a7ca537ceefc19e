// Which metrics have a chart.

import { make, number } from "./words.js";

export class MetricsPanel {
  constructor(element, { change }) {
    Object.assign(this, { element, change });
    this.boxes = make("div", { id: "metrics" });
    element.append(make("fieldset", { className: "metrics" }, make("legend", {}, "Metrics"), this.boxes));
  }

  /** Show a box for each metric; `counts` maps names to numbers of data points, or null. */
  show(counts, view) {
    this.view = view;
    const chosen = view.metrics.flat();
    const names = [...new Set([...counts.keys(), ...chosen])].sort();
    if (this.boxes.dataset.names !== JSON.stringify(names)) {
      this.boxes.dataset.names = JSON.stringify(names);
      this.boxes.replaceChildren(...names.map((name) => this.makeBox(name)));
    }
    for (const label of this.boxes.children) {
      const count = counts.get(label.textContent);
      label.title = count ? `${number(count)} data points` : "";
    }
    for (const box of this.boxes.querySelectorAll("input")) box.checked = chosen.includes(box.value);
  }

  makeBox(name) {
    const box = make("input", { type: "checkbox", value: name });
    box.addEventListener("change", () => {
      const others = this.view.metrics.filter((names) => !names.includes(name));
      this.change({ metrics: box.checked ? [...others, [name]] : others });
    });
    return make("label", {}, box, name);
  }
}
