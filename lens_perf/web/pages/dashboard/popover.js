// What opens below a button and closes by Escape, or by a click elsewhere.

import { make } from "./words.js";

/** A details element of `className`, whose `summary` is its button. */
export function makePopover(className, summary, ...content) {
  const details = make("details", { className }, summary, make("div", {}, ...content));
  const leave = (event) => {
    if (!details.contains(event.target)) details.open = false;
  };
  details.addEventListener("toggle", () => {
    if (details.open) document.addEventListener("pointerdown", leave);
    else document.removeEventListener("pointerdown", leave);
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    summary.focus();
    event.stopPropagation();
  });
  return details;
}
