// Light or dark: as the system says, unless the user has switched, which is remembered.

import { ofBrowser } from "./storage.js";

const CHOICE = "lens_perf.theme";
let onSwitch = () => {};
const system = matchMedia("(prefers-color-scheme: dark)");

// Applied when the module loads, before main.js waits for the chart library: the page must not change its colours.
const kept = ofBrowser.get(CHOICE);
if (kept) document.documentElement.dataset.theme = kept;

/** Return whether the page is dark now. */
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** Switch to the other theme. */
export function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  ofBrowser.set(CHOICE, document.documentElement.dataset.theme);
  onSwitch();
}

/** Show the light theme until the function that is returned is called. */
export function showLight() {
  const { dataset } = document.documentElement;
  const { theme } = dataset;
  dataset.theme = "light";
  return () => {
    if (theme) dataset.theme = theme;
    else delete dataset.theme;
  };
}

/** Let the button switch, and call `onChange` whenever the colours have changed. */
export function setUpTheme(onChange) {
  onSwitch = onChange;
  document.querySelector("#theme").addEventListener("click", switchTheme);
  system.addEventListener("change", onChange);
}
