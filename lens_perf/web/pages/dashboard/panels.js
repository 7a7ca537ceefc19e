// Which panels of the sidebar are unfolded: on a narrow screen, at first none that would push the charts off it.

const NARROW = "(max-width: 52rem)"; // as in dashboard.css

/** Fold and unfold the panels by the width of the window; `hasRuns` returns whether there are charts to see. */
export function setUpPanels(hasRuns) {
  const narrow = matchMedia(NARROW);
  const panels = [
    { panel: document.querySelector("#workload-panel"), choose: () => !narrow.matches || !hasRuns() },
    { panel: document.querySelector("#metrics-panel > details"), choose: () => !narrow.matches },
  ].map((each) => ({ ...each, isOpen: (each.panel.open = each.choose()) }));
  narrow.addEventListener("change", () => panels.forEach(adapt));
}

/** Fold or unfold a panel by the width, unless that was done by hand; one with the focus is not folded. */
function adapt(each) {
  const { panel, choose } = each;
  const isOpen = choose();
  if (panel.open !== each.isOpen || (!isOpen && panel.contains(document.activeElement))) return;
  each.isOpen = panel.open = isOpen;
}
