// What is wrong now, by part of the page, until that part is well again. What has not changed is not shown again: that
// would take the focus from its button, and screen readers would repeat it.

import { make } from "./words.js";

const shown = new Map();

/** Say what is wrong with a part, and offer `retry` if there is one; an empty text says that it is well. */
export function showTrouble(part, text = "", retry = null) {
  if ((shown.get(part)?.text ?? "") === text) return;
  if (text) shown.set(part, { text, retry });
  else shown.delete(part);
  show();
}

export const isWell = (part) => !shown.has(part);

function show() {
  const banner = document.querySelector("#banner");
  banner.hidden = shown.size === 0;
  const texts = new Set([...shown.values()].map(({ text }) => text));
  banner.replaceChildren(...[...texts].map(makeLine));
}

/** One line for all parts of which the same is wrong; its button tries all of them again. */
function makeLine(text) {
  const parts = [...shown].filter(([, one]) => one.text === text);
  const retries = parts.map(([, { retry }]) => retry).filter(Boolean);
  if (!retries.length) return make("p", {}, text);
  const button = make("button", { type: "button" }, "Try again");
  button.addEventListener("click", () => {
    for (const [part] of parts) showTrouble(part);
    for (const retry of retries) retry();
  });
  return make("p", {}, text, " ", button);
}
