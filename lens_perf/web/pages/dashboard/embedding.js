// The page inside another page: charts alone, which fit into its frame, and a link to the whole dashboard.

import { LEAST_HEIGHT, formatView } from "./view_state.js";

/** Show the charts alone if `view` says so. */
export function showEmbedded(view) {
  document.body.classList.toggle("embed", view.embed);
  const link = document.querySelector("#open");
  link.hidden = !view.embed;
  link.href = `#${formatView({ ...view, embed: false })}`;
}

/** The height of `plot` with which a page of one chart fills its frame, whatever its legend needs. */
export function fillFrame(plot) {
  const rest = document.body.getBoundingClientRect().height - plot.getBoundingClientRect().height;
  return Math.max(LEAST_HEIGHT, Math.floor(innerHeight - rest));
}
