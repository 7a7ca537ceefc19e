// The tab's title and icon: which runs are in view, and how they are doing.

import { nameTab, sumUp } from "./run_events.js";

const PAGE = "Training workloads";
const COLOURS = { trouble: "#e5484d", stalled: "#f1b457", running: "#3fbf7f", finished: "#4aa3e8", ended: "#9aa7b5" };
const SHAPE =
  "<rect width='32' height='32' rx='7' fill='#16324f'/>" +
  "<path d='M5 8c5 1 6 12 12 14s8 2 10 2' fill='none' stroke='#ffb454' stroke-width='3.2' stroke-linecap='round'/>";

/** Show the runs in view in the tab. */
export function showTab(runs) {
  const title = nameTab(runs, PAGE);
  if (document.title !== title) document.title = title;
  const icon = document.querySelector("link[rel=icon]");
  const state = sumUp(runs);
  if ((icon.dataset.state ?? "") === (state ?? "")) return;
  icon.dataset.state = state ?? "";
  icon.href = state ? drawIcon(COLOURS[state]) : "assets/dashboard/icon.svg";
}

function drawIcon(colour) {
  const dot = `<circle cx='23' cy='9' r='8' fill='${colour}' stroke='#fff' stroke-width='2'/>`;
  const image = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>${SHAPE}${dot}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(image)}`;
}
