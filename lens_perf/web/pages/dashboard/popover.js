// What opens below a button and closes by Escape, by a click elsewhere, or when the focus leaves it.

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
  details.addEventListener("focusout", ({ relatedTarget }) => {
    // A click on text within gives the focus to what is around, and there is none after its element is removed.
    const hasLeft = relatedTarget && !details.contains(relatedTarget) && !relatedTarget.contains(details);
    // What was wrong with the last entry is to be read.
    if (hasLeft && !details.querySelector(".problem:not(:empty)")) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    summary.focus();
    event.stopPropagation();
  });
  return details;
}
