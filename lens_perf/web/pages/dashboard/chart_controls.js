// The controls of all charts: x axis, y range, smoothing, alignment and columns.

import { makePopover } from "./popover.js";
import { RangeFields } from "./range_fields.js";
import { KINDS } from "./smoothing.js";
import { titleOf } from "./view_state.js";
import { make } from "./words.js";

const AXES = { iteration: "iterations", time: "time", relative_time: "relative time" };
// What is shown without zooming.
const WHOLE = { xRange: null, yZooms: {} };
const METRIC_GROUP = "Metrics";
const SMOOTHINGS = Object.entries(KINDS).filter(([kind]) => kind !== "none");

export class ChartControls {
  constructor(element, { change }) {
    Object.assign(this, { element, change, drawn: "", isSmoothing: false });
    this.axis = make("select", { id: "axis" });
    this.axis.addEventListener("change", () => change({ axis: this.axis.value, ...WHOLE }));
    this.log = this.makeBox((isOn) => this.changeY({ log: isOn }));
    this.log.setAttribute("aria-label", "logarithmic y axis");
    // On a phone, there is no room for words beside them.
    this.axis.setAttribute("aria-label", "X axis");
    this.outliers = this.makeBox((isOn) => this.changeY({ ignoreOutliers: isOn }));
    this.align = this.makeBox((isOn) => change({ align: isOn ? "restart" : null, ...WHOLE }));
    this.range = new RangeFields((range) => this.changeY({ range }));
    this.kind = make(
      "select",
      { id: "smoothing-kind" },
      ...SMOOTHINGS.map(([value, text]) => make("option", { value }, text)),
    );
    this.kind.addEventListener("change", () =>
      change({ smoothing: { ...this.view.smoothing, kind: this.kind.value } }),
    );
    this.weight = make("input", { type: "range", id: "smoothing", min: 0, max: 0.99, step: 0.01 });
    this.weight.setAttribute("aria-label", "Smoothing");
    this.weight.addEventListener("input", () => this.smooth());
    for (const end of ["change", "blur", "keyup"]) this.weight.addEventListener(end, () => (this.isSmoothing = false));
    // A key that is held down ends with "change" each time that it repeats.
    this.weight.addEventListener("keydown", ({ repeat }) => (this.isSmoothing = repeat));
    this.shown = make("output", {}, "off");
    this.columns = make(
      "select",
      { id: "columns" },
      ...["", 1, 2, 3, 4].map((value) => make("option", { value: String(value) }, value ? String(value) : "auto")),
    );
    this.columns.addEventListener("change", () =>
      change({ layout: { ...this.view.layout, columns: Number(this.columns.value) || null } }),
    );
    this.whole = make("button", { type: "button" }, "Show the whole range");
    this.whole.addEventListener("click", () => change(WHOLE));
    this.alignLabel = make("label", {}, this.align, " aligned at the restart");
    element.append(
      labelled("X axis", this.axis),
      make("label", { title: "Logarithmic y axis" }, this.log, " log"),
      make(
        "span",
        { className: "field" },
        make("label", { htmlFor: "smoothing" }, "Smoothing"),
        this.weight,
        this.shown,
      ),
      this.whole,
      makePopover(
        "more",
        make("summary", {}, "More"),
        labelled("Kind of smoothing", this.kind),
        this.alignLabel,
        make("label", {}, this.outliers, " without outliers"),
        this.range.element,
        labelled("Charts per row", this.columns),
      ),
    );
  }

  makeBox(onChange) {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => onChange(box.checked));
    return box;
  }

  changeY(partial) {
    this.change({ yScale: { ...this.view.yScale, ...partial } });
  }

  /** One movement of the slider is one entry of the history, so that Back returns to what was shown before it. */
  smooth() {
    const replace = this.isSmoothing;
    this.isSmoothing = true;
    this.change({ smoothing: { ...this.view.smoothing, weight: Number(this.weight.value) } }, { replace });
  }

  /** Show what `view` has chosen; the metrics of `counts` can be x axes. */
  show(view, counts, runs = null) {
    this.view = view;
    this.listAxes([...counts.keys()], view.axis);
    this.axis.value = view.axis;
    this.log.checked = view.yScale.log;
    this.outliers.checked = view.yScale.ignoreOutliers;
    this.align.checked = view.align === "restart";
    this.alignLabel.hidden =
      view.align === null &&
      runs !== null &&
      !runs.some(({ attempts }) => (attempts ?? []).some(({ redoneFrom }) => Number.isFinite(redoneFrom)));
    this.range.show(view.yScale.range);
    this.kind.value = view.smoothing.kind;
    this.weight.value = view.smoothing.weight;
    this.shown.textContent = view.smoothing.weight ? view.smoothing.weight.toFixed(2) : "off";
    this.columns.value = String(view.layout.columns ?? "");
    this.whole.hidden = view.xRange === null && !view.metrics.some((names) => titleOf(names) in view.yZooms);
  }

  listAxes(names, chosen) {
    const metrics = [...new Set([...names, ...(chosen in AXES ? [] : [chosen])])].sort();
    const key = JSON.stringify(metrics);
    if (key === this.drawn) return;
    this.drawn = key;
    this.axis.replaceChildren(
      ...Object.entries(AXES).map(([value, text]) => make("option", { value }, text)),
      make("optgroup", { label: METRIC_GROUP }, ...metrics.map((value) => make("option", { value }, value))),
    );
  }
}

const labelled = (text, field) =>
  make("span", { className: "field" }, make("label", { htmlFor: field.id }, text), field);
