// Which metrics have a chart: a list by groups of their names, with a search.

import { groupMetrics, makeFilter, orderCharts, prefixOf } from "./metric_choice.js";
import { makeIcon } from "./chart_icons.js";
import { showName } from "./names.js";
import { make, number } from "./words.js";

// Of a search that matches more, the rest is counted only.
const MOST_SHOWN = 600;
const LIST_ID = "metric-names";

export class MetricsPanel {
  constructor(element, { change }) {
    Object.assign(this, { element, change, counts: new Map(), view: null, drawn: "" });
    this.summary = make("summary", {}, "Metrics");
    this.search = make("input", {
      type: "search",
      id: "metric-search",
      placeholder: "words or /regex/",
      autocomplete: "off",
      spellcheck: false,
    });
    this.search.addEventListener("input", () => this.draw());
    const label = make("label", { className: "unseen" }, "Find metrics");
    label.htmlFor = "metric-search";
    this.problem = make("span", { className: "problem" });
    this.problem.setAttribute("role", "status");
    this.all = make("button", { type: "button" }, "Select matching");
    this.all.addEventListener("click", () => this.select(this.findMatching(), true));
    this.none = make("button", { type: "button" }, "Clear");
    this.none.addEventListener("click", () => this.change({ metrics: [] }));
    this.groups = make("div", { id: "metrics" });
    this.names = make("datalist", { id: LIST_ID });
    this.panel = make(
      "details",
      {},
      this.summary,
      make("div", { className: "find" }, label, this.search, this.all, this.none, this.problem),
      this.groups,
    );
    this.panel.addEventListener("toggle", () => this.draw());
    element.append(this.panel, this.names);
  }

  /** Show the metrics of `counts`, a Map of names to numbers of data points, null where unknown. */
  show(counts, view) {
    const names = [...new Set([...counts.keys(), ...view.metrics.flat()])];
    Object.assign(this, { counts, view, known: names });
    const chosen = new Set(view.metrics.flat());
    this.summary.textContent = `Metrics · ${chosen.size} of ${number(names.length)}`;
    if (this.names.childElementCount !== names.length)
      this.names.replaceChildren(...names.map((value) => make("option", { value })));
    this.draw();
  }

  /** The names that match the search, null for a search that is no regular expression. */
  findMatching() {
    try {
      const matches = makeFilter(this.search.value);
      this.problem.textContent = "";
      return this.known.filter(matches);
    } catch {
      this.problem.textContent = "This is not a regular expression.";
      return null;
    }
  }

  draw() {
    if (!this.view || !this.panel.open) return;
    const matching = this.findMatching();
    if (!matching) return;
    const key = JSON.stringify([matching.slice().sort(), this.search.value]);
    if (key !== this.drawn) {
      this.drawn = key;
      this.all.hidden = !this.search.value.trim();
      this.boxes = new Map();
      const shown = groupMetrics(matching.slice(0, MOST_SHOWN));
      const rest = matching.length - MOST_SHOWN;
      this.groups.replaceChildren(
        ...shown.map((group) => this.makeGroup(group)),
        ...(rest > 0 ? [make("p", {}, `and ${number(rest)} more: search for them`)] : []),
      );
      if (!matching.length) this.groups.append(make("p", {}, "No metric matches."));
    }
    this.update();
  }

  makeGroup({ group, names }) {
    const box = make("input", { type: "checkbox" });
    box.setAttribute("aria-label", `All of ${group}`);
    box.addEventListener("change", () => this.select(names, box.checked));
    const details = make(
      "details",
      { className: "group" },
      make("summary", {}, showName(make("span"), group), " ", make("small", {}, number(names.length))),
      make("ul", {}, ...names.map((name) => this.makeItem(name, prefixOf(name, group)))),
    );
    details.open = Boolean(this.search.value.trim()) || !this.view.collapsed.includes(group);
    details.addEventListener("toggle", () => {
      if (this.search.value.trim() || details.open === !this.view.collapsed.includes(group)) return;
      const others = this.view.collapsed.filter((each) => each !== group);
      this.change({ collapsed: details.open ? others : [...others, group] }, { replace: true });
    });
    this.boxes.set(`group ${group}`, { box, names });
    return make("div", { className: "group-row" }, box, details);
  }

  /** The item of a metric; its group shows the `prefix` of its name already. */
  makeItem(name, prefix) {
    const box = make("input", { type: "checkbox", value: name });
    box.addEventListener("change", () => this.select([name], box.checked));
    const pin = make("button", { type: "button", className: "quiet", title: "Pin to the top" }, makeIcon("pin"));
    pin.setAttribute("aria-label", `Pin ${name}`);
    pin.addEventListener("click", () => this.pin(name));
    const title = this.counts.get(name) ? `${name}: ${number(this.counts.get(name))} data points` : name;
    const label = make("label", { title }, box, showName(make("span"), name, { prefix, title }));
    this.boxes.set(name, { box, names: [name], pin });
    return make("li", {}, label, pin);
  }

  update() {
    const chosen = new Set(this.view.metrics.flat());
    for (const { box, names, pin } of this.boxes.values()) {
      const count = names.filter((name) => chosen.has(name)).length;
      box.checked = count === names.length;
      box.indeterminate = count > 0 && count < names.length;
      pin?.setAttribute("aria-pressed", String(this.view.pins.includes(names[0])));
    }
  }

  /** Give each of `names` a chart of its own, or take them out of all charts. */
  select(names, isSelected) {
    if (!names) return;
    const chosen = new Set(this.view.metrics.flat());
    const metrics = isSelected
      ? [...this.view.metrics, ...names.filter((name) => !chosen.has(name)).map((name) => [name])]
      : this.view.metrics.map((chart) => chart.filter((name) => !names.includes(name))).filter((chart) => chart.length);
    this.change({ metrics });
  }

  pin(name) {
    const isPinned = this.view.pins.includes(name);
    const pins = isPinned ? this.view.pins.filter((each) => each !== name) : [...this.view.pins, name];
    const metrics =
      isPinned || this.view.metrics.flat().includes(name) ? this.view.metrics : [...this.view.metrics, [name]];
    this.change({ pins, metrics: orderCharts(metrics, pins) });
  }
}
