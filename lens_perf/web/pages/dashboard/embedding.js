// The page inside another page: charts alone, and a link to the whole dashboard.

import { showWarnings } from "./banner.js";
import { describeMissing } from "./run_columns.js";
import { formatView } from "./view_state.js";

/** Show the charts alone if `view` says so. */
export function showEmbedded(view, runs) {
  document.body.classList.toggle("embed", view.embed);
  const link = document.querySelector("#open");
  link.hidden = !view.embed;
  link.href = `#${formatView({ ...view, embed: false })}`;
  // There is no run table, which says so otherwise.
  const missing = view.embed ? describeMissing(runs) : "";
  showWarnings("runs", missing ? [{ message: missing }] : []);
}
