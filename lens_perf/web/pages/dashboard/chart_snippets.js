// Writes the request for the data of a chart as a command or as Python, and copies it. It never has a token.

import { addressOf, hasToken } from "./api_client.js";
import { describeExport } from "./series_requests.js";
import { make } from "./words.js";

const HEADER = ["Authorization", "Bearer YOUR_TOKEN"];

const WRITERS = {
  curl: (address, needsToken) =>
    `curl ${needsToken ? `-H '${HEADER.join(": ")}' ` : ""}'${address.replaceAll("'", "%27")}'`,
  pandas: (address, needsToken) => {
    const options = needsToken ? `, storage_options={"${HEADER[0]}": "${HEADER[1]}"}` : "";
    return `import pandas\nframe = pandas.read_csv("${address.replaceAll('"', "%22")}"${options})`;
  },
};

export const KINDS = Object.keys(WRITERS);

/** The request for `address` as a snippet of one of KINDS. */
export const writeSnippet = (kind, address, needsToken) => WRITERS[kind](String(address), needsToken);

/** Copy the request for the visible runs of `chart`, its metrics and, if all runs share it, its range: true if done. */
export async function copySnippet({ names, runs, view, store }, kind) {
  const visible = runs.filter(({ isVisible }) => isVisible);
  const query = describeExport(visible.length ? visible : runs, names, view, store.points);
  return copy(writeSnippet(kind, addressOf("metrics/data", query), hasToken()));
}

/** Pages without https, and those in frames, may have no clipboard. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = make("textarea", { value: text, className: "unseen" });
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return isCopied;
  }
}
