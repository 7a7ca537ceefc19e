// The page inside another page: charts alone, and a link to the whole dashboard.

import { formatView } from "./view_state.js";

/** Show the charts alone if `view` says so. */
export function showEmbedded(view) {
  document.body.classList.toggle("embed", view.embed);
  const link = document.querySelector("#open");
  link.hidden = !view.embed;
  link.href = `#${formatView({ ...view, embed: false })}`;
}
