// What is wrong now, by part of the page: told until that part is well again, and never told anew, which would take the
// focus from its button and repeat it to those who listen.

import { make } from "./words.js";

const told = new Map();

/** Say what is wrong with a part, and offer `retry` if there is one; an empty text says that it is well. */
export function tell(part, text = "", retry = null) {
  if ((told.get(part)?.text ?? "") === text) return;
  if (text) told.set(part, { text, retry });
  else told.delete(part);
  show();
}

export const isWell = (part) => !told.has(part);

function show() {
  const banner = document.querySelector("#banner");
  banner.hidden = told.size === 0;
  const texts = new Set([...told.values()].map(({ text }) => text));
  banner.replaceChildren(...[...texts].map(makeLine));
}

/** One line for all parts of which the same is wrong; its button tries all of them again. */
function makeLine(text) {
  const parts = [...told].filter(([, one]) => one.text === text);
  const retries = parts.map(([, { retry }]) => retry).filter(Boolean);
  if (!retries.length) return make("p", {}, text);
  const button = make("button", { type: "button" }, "Try again");
  button.addEventListener("click", () => {
    for (const [part] of parts) tell(part);
    for (const retry of retries) retry();
  });
  return make("p", {}, text, " ", button);
}
