// Prepares the page for paper: all charts are drawn, also those that are not on the screen, in the light theme.

import { showLight } from "./theme.js";

// The width of a chart in CSS pixels, alone in its row and beside others. It is scaled to that of the paper, which is
// not known: on A4 to 85 % of its size if that is upright, to 120 % otherwise.
const WIDTH = 800;
const HALF_WIDTH = 400;

/** Draw the charts of `grid` for paper before the page is printed, and for the screen after it. */
export function setUpPrinting(grid) {
  let restore = null;
  addEventListener("beforeprint", () => {
    restore ??= showLight();
    const isOne = grid.element.style.getPropertyValue("--columns") === "1";
    for (const chart of grid.charts.values()) chart.print(isOne ? WIDTH : HALF_WIDTH);
  });
  addEventListener("afterprint", () => {
    restore?.();
    restore = null;
    for (const chart of grid.charts.values()) chart.print(null);
  });
}
