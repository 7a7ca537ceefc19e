// The controls above the charts: metrics, axis, scale, smoothing, and the way back from a zoom.

import { make, number } from "./words.js";

const find = (selector) => document.querySelector(selector);

/** Let the controls call `onChange` with what is chosen, and `onSmoothing` while the slider moves and at its end. */
export function setUpControls({ onChange, onSmoothing, isZoomed }) {
  for (const radio of document.querySelectorAll("[name=axis]")) {
    radio.addEventListener("change", () => onChange({ axis: radio.value, range: null }));
  }
  find("#log").addEventListener("change", (event) => onChange({ log: event.target.checked }));
  find("#smoothing").addEventListener("input", (event) => onSmoothing(Number(event.target.value), false));
  find("#smoothing").addEventListener("change", (event) => onSmoothing(Number(event.target.value), true));
  find("#whole").addEventListener("click", () => onChange({ range: null }));
  find("#charts").addEventListener("dblclick", () => isZoomed() && onChange({ range: null }));
  find("#controls").addEventListener("submit", (event) => event.preventDefault());
}

/** Show what is chosen in `view`, and a box for each metric of `counted`, which maps names to numbers of points. */
export function showControls(view, counted, onChange) {
  const place = find("#metrics");
  const names = [...new Set([...counted.keys(), ...view.metrics])].sort();
  if (place.dataset.names !== JSON.stringify(names)) {
    place.dataset.names = JSON.stringify(names);
    place.replaceChildren(...names.map((name) => makeBox(name, onChange)));
  }
  for (const label of place.children) {
    const count = counted.get(label.textContent);
    label.title = count ? `${number(count)} data points` : "";
  }
  for (const box of place.querySelectorAll("input")) box.checked = view.metrics.includes(box.value);
  for (const radio of document.querySelectorAll("[name=axis]")) radio.checked = radio.value === view.axis;
  find("#log").checked = view.log;
  find("#smoothing").value = view.smoothing;
  find("#smoothed").textContent = view.smoothing ? view.smoothing.toFixed(2) : "off";
  find("#whole").hidden = view.range === null;
}

function makeBox(name, onChange) {
  const box = make("input", { type: "checkbox", value: name });
  box.addEventListener("change", () => onChange(name, box.checked));
  return make("label", {}, box, name);
}
