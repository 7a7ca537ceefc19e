// What a search and an order select of the workloads. No DOM.

/** Parse what was typed: words that all have to be in the uid, or a regular expression between slashes.
 *
 * Returns {text, matches, isPlain, error}: `text` is what the API can search for, a part of each uid that matches; with
 * isPlain the API's answer needs no other filter. */
export function parseSearch(typed) {
  const trimmed = typed.trim();
  const pattern = /^\/(.+?)\/?$/s.exec(trimmed);
  if (pattern) return parsePattern(pattern[1]);
  const words = trimmed.toLowerCase().split(/\s+/).filter(Boolean);
  const longest = words.toSorted((one, other) => other.length - one.length)[0] ?? "";
  return {
    text: longest,
    matches: (uid) => words.every((word) => uid.toLowerCase().includes(word)),
    isPlain: words.length < 2,
    error: "",
  };
}

function parsePattern(source) {
  try {
    const pattern = new RegExp(source, "iu");
    return { text: "", matches: (uid) => pattern.test(uid), isPlain: false, error: "" };
  } catch (error) {
    return {
      text: "",
      matches: () => false,
      isPlain: false,
      error: `Not a regular expression: ${error.message.split(": ").at(-1)}`,
    };
  }
}

// Each order: what it sorts by, of {uid, cluster, last_iteration, last_timestamp, first_timestamp, state}.
const RANKS = { running: 0, stalled: 1, finished: 2, ended: 3 };
const ORDERS = {
  active: ({ last_timestamp: time }) => -(time ?? -Infinity),
  name: ({ workload_uid: uid }) => uid.toLowerCase(),
  started: ({ first_timestamp: time }) => -(time ?? -Infinity),
  iteration: ({ last_iteration: iteration }) => -(iteration ?? -Infinity),
  state: ({ state }) => RANKS[state] ?? 4,
};

/** Return `workloads` in an order; what is equal keeps its place. */
export function sortWorkloads(workloads, order) {
  const valueOf = ORDERS[order] ?? ORDERS.active;
  const valued = workloads.map((workload) => [valueOf(workload), workload]);
  return valued.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).map(([, workload]) => workload);
}
