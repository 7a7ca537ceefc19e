// The controls of the charts: axis, scale, smoothing, and the whole range after a zoom.

import { make } from "./words.js";

export class ChartControls {
  constructor(element, { change }) {
    const radio = (value, text) => {
      const input = make("input", { type: "radio", name: "axis", value });
      input.addEventListener("change", () => change({ axis: value, xRange: null }));
      return make("label", {}, input, ` ${text}`);
    };
    this.log = make("input", { type: "checkbox" });
    this.log.addEventListener("change", () => change({ yScale: { ...this.view.yScale, log: this.log.checked } }));
    this.smoothing = make("input", { type: "range", id: "smoothing", min: 0, max: 0.99, step: 0.01 });
    const smooth = (replace) => change({ smoothing: { ...this.view.smoothing, weight: Number(this.smoothing.value) } }, { replace });
    this.smoothing.addEventListener("input", () => smooth(true));
    this.smoothing.addEventListener("change", () => smooth(false));
    this.whole = make("button", { type: "button" }, "Show the whole range");
    this.whole.addEventListener("click", () => change({ xRange: null }));
    this.axes = make("fieldset", {}, make("legend", {}, "Axis"), radio("iteration", "iterations"), radio("time", "time"));
    const scale = make("fieldset", {}, make("legend", {}, "Scale"), make("label", {}, this.log, " logarithmic"));
    const label = make("label", {}, "Smoothing");
    label.htmlFor = "smoothing";
    element.append(this.axes, scale, make("fieldset", {}, make("legend", {}, label), this.smoothing), this.whole);
  }

  show(view) {
    this.view = view;
    for (const radio of this.axes.querySelectorAll("input")) radio.checked = radio.value === view.axis;
    this.log.checked = view.yScale.log;
    this.smoothing.value = view.smoothing.weight;
    this.whole.hidden = view.xRange === null;
  }
}
