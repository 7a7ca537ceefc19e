// What is wrong now, by part of the page, until that part is well again. What has not changed is not shown again: that
// would take the focus from its button, and screen readers would repeat it.

import { make } from "./words.js";

// By part, the texts and the way to retry, if there is one.
const shown = new Map();

/** Say what is wrong with a part, and offer `retry` if there is one; an empty text says that it is well. */
export function showTrouble(part, text = "", retry = null) {
  replace(part, text ? [text] : [], retry);
}

/** Show the warnings of an answer about a part, one a line, without those of one workload; none say that it is well. */
export function showWarnings(part, warnings) {
  replace(part, [...new Set(warnings.filter(isOfCluster).map(({ message }) => message))], null);
}

/** A warning of a workload may be that of its cluster, which it then names, or that its copy is not ready. */
const isOfCluster = ({ cluster, workload_uid: uid, message }) =>
  !uid || message.toLowerCase().includes(`cluster ${cluster.toLowerCase()}`);

function replace(part, texts, retry) {
  if (JSON.stringify(shown.get(part)?.texts ?? []) === JSON.stringify(texts)) return;
  if (texts.length) shown.set(part, { texts, retry });
  else shown.delete(part);
  show();
}

export const isWell = (part) => !shown.has(part);

function show() {
  const banner = document.querySelector("#banner");
  banner.hidden = shown.size === 0;
  const texts = new Set([...shown.values()].flatMap((each) => each.texts));
  banner.replaceChildren(...[...texts].map(makeLine));
}

/** One line for all parts of which the same is wrong; its button tries all of them again. */
function makeLine(text) {
  const parts = [...shown].filter(([, one]) => one.texts.includes(text));
  const retries = parts.map(([, { retry }]) => retry).filter(Boolean);
  if (!retries.length) return make("p", {}, text);
  const button = make("button", { type: "button" }, "Try again");
  button.addEventListener("click", () => {
    for (const [part] of parts) showTrouble(part);
    for (const retry of retries) retry();
  });
  return make("p", {}, text, " ", button);
}
