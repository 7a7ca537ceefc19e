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
  const byText = new Map([...told].map(([part, { text, retry }]) => [text, { part, text, retry }]));
  banner.replaceChildren(...[...byText.values()].map(makeLine));
}

function makeLine({ part, text, retry }) {
  if (!retry) return make("p", {}, text);
  const button = make("button", { type: "button" }, "Try again");
  button.addEventListener("click", () => {
    tell(part);
    retry();
  });
  return make("p", {}, text, " ", button);
}
