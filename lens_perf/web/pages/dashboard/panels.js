// Which panels of the sidebar are unfolded to begin with: on a narrow screen, none that would push the charts off it.

const NARROW = "(max-width: 52rem)"; // as in dashboard.css

/** Unfold or fold the panels; `hasRuns` says whether there are charts to see. */
export function setUpPanels(hasRuns) {
  const isNarrow = matchMedia(NARROW).matches;
  document.querySelector("#workload-panel").open = !isNarrow || !hasRuns;
  const metrics = document.querySelector("#metrics-panel > details");
  if (metrics) metrics.open = !isNarrow;
}
