// Light or dark: as the system has it, unless the button was used, which is remembered.

const CHOICE = "lens_perf.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Tell whether the page is dark now. */
export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** Let the button switch, and call `onChange` whenever the colours are others. */
export function setUpTheme(onChange) {
  const kept = localStorage.getItem(CHOICE);
  if (kept) document.documentElement.dataset.theme = kept;
  document.querySelector("#theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem(CHOICE, document.documentElement.dataset.theme);
    onChange();
  });
  system.addEventListener("change", onChange);
}
