// The heights with which the plot of a chart fills the window: that of a frame, or the whole screen.

import { LEAST_HEIGHT } from "./view_state.js";

/** The height of `plot` with which a page of one chart fills its frame, whatever its legend needs. */
export function fillFrame(plot) {
  return fill(document.body.getBoundingClientRect().height, plot);
}

/** The height of `plot` with which its `figure`, which is shown in full screen, needs no scrolling. */
export function fillScreen(plot, figure) {
  return fill(figure.lastElementChild.getBoundingClientRect().bottom + figure.scrollTop, plot);
}

function fill(height, plot) {
  const rest = height - plot.getBoundingClientRect().height;
  return Math.max(LEAST_HEIGHT, Math.floor(innerHeight - rest));
}
