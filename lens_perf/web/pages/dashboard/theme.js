// Light or dark: as the system says, unless the user has switched, which is remembered.

const CHOICE = "lens_perf.theme";
let onSwitch = () => {};
const system = matchMedia("(prefers-color-scheme: dark)");

/** Return whether the page is dark now. */
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** Switch to the other theme. */
export function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem(CHOICE, document.documentElement.dataset.theme);
  onSwitch();
}

/** Let the button switch, and call `onChange` whenever the colours have changed. */
export function setUpTheme(onChange) {
  const kept = localStorage.getItem(CHOICE);
  if (kept) document.documentElement.dataset.theme = kept;
  onSwitch = onChange;
  document.querySelector("#theme").addEventListener("click", switchTheme);
  system.addEventListener("change", onChange);
}
