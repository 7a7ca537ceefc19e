// Light or dark before the first paint: as the dashboard remembers it, else as the system says.
"use strict";

(() => {
  const readKept = () => {
    try {
      return localStorage.getItem("lens_perf.theme");
    } catch {
      // Site data are blocked.
      return null;
    }
  };
  const kept = readKept();
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const show = () =>
    document.documentElement.classList.toggle("dark-mode", (kept ?? (system.matches ? "dark" : "light")) === "dark");
  system.addEventListener("change", show);
  show();
})();
