// Writes the request for the data of a chart as a command or as Python, and copies it. It never has a token.

import { LONGEST_QUERY, addressOf, hasToken } from "./api_client.js";
import { describeExport, hasRange, toRead } from "./series_requests.js";
import { make } from "./words.js";

const HEADER = ["Authorization", "Bearer YOUR_TOKEN"];
const NO_RANGE = "# All points, as no parameter of the request can give the range shown";
const ITERATIONS =
  "# Also points outside the range shown: the request has the iterations in which the metric of the x axis is in it";

const WRITERS = {
  curl: ({ address, body }, needsToken) => {
    const header = needsToken ? `-H '${HEADER.join(": ")}' ` : "";
    const data = body ? `--data '${body}' ` : "";
    return `curl ${header}${data}'${address.replaceAll("'", "%27")}'`;
  },
  pandas: ({ address, body }, needsToken) => {
    const url = `"${address.replaceAll('"', "%22")}"`;
    const headers = needsToken ? `{"${HEADER[0]}": "${HEADER[1]}"}` : "";
    if (!body) return `import pandas\nframe = pandas.read_csv(${url}${headers && `, storage_options=${headers}`})`;
    return [
      "import pandas",
      "from urllib.request import Request, urlopen",
      `request = Request(${url}, b"${body}"${headers && `, ${headers}`})`,
      "frame = pandas.read_csv(urlopen(request))",
    ].join("\n");
  },
};

export const KINDS = Object.keys(WRITERS);

/** The request for `address` as a snippet of one of KINDS, below `note` if there is one. */
export const writeSnippet = (kind, address, needsToken, note = "") =>
  `${note && `${note}\n`}${WRITERS[kind](divide(String(address)), needsToken)}`;

/** Parameters that are longer than a request line may be are sent in the body, encoded as they are. */
function divide(address) {
  const [path, query] = address.split("?");
  return query.length > LONGEST_QUERY ? { address: path, body: query } : { address, body: "" };
}

/** The parameters of a request for the visible runs of a chart and its metrics, and a note if it exceeds the range. */
export function describeRequest({ names, runs, view, store }) {
  const visible = runs.filter(({ isVisible }) => isVisible);
  const shown = visible.length ? visible : runs;
  const read = toRead(view);
  const iterations = store.findIterations(shown, read);
  return {
    query: describeExport(shown, names, read, store.points, iterations),
    note: !view.xRange || hasRange(shown, read) ? "" : iterations?.some(Number.isFinite) ? ITERATIONS : NO_RANGE,
  };
}

/** Copy the request for the data of `chart`: true if done. */
export async function copySnippet(chart, kind) {
  const { query, note } = describeRequest(chart);
  return copy(writeSnippet(kind, addressOf("metrics/data", query), hasToken(), note));
}

/** Pages without https, and those in frames, may have no clipboard. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = make("textarea", { value: text, className: "unseen" });
    // Beside the button: its popover would close if the focus left it.
    (focused?.parentElement ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return isCopied;
  }
}
