// Requests to the API: the one module that knows its addresses, its parameters and its errors.

import { ofTab } from "./storage.js";
import { UnknownClusters } from "./unknown_clusters.js";

const root = new URL(`${document.documentElement.dataset.api}/`, document.baseURI);
const TOKEN = "lens_perf.token";
// Other workloads whose names contain that of the wanted one may come before it.
const SEARCH_PAGE = 1000;
// The longest query in a request line: gunicorn accepts lines of 4,094 characters by default.
export const LONGEST_QUERY = 3500;

/** An error of the API, in the words of its answer; `status` is 0 if there was no answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Keep a token for as long as the tab is open. */
export function keepToken(token) {
  ofTab.set(TOKEN, token);
}

export const hasToken = () => Boolean(ofTab.get(TOKEN));

/** The address of a request; `query` is a list of pairs, of which empty ones are left out. */
export function addressOf(path, query) {
  const address = new URL(path, root);
  address.search = write(query);
  return address;
}

/** Ask the API. Parameters that are too long for a request line are sent as a form. */
export function ask(path, query, signal) {
  const parameters = write(query);
  return String(parameters).length > LONGEST_QUERY
    ? send(new URL(path, root), { method: "POST", body: parameters }, signal)
    : send(addressOf(path, query), {}, signal);
}

function write(query) {
  const isGiven = (value) => value !== null && value !== undefined && value !== "";
  // An empty cursor asks for one.
  return new URLSearchParams(query.filter(([name, value]) => isGiven(value) || (name === "after" && value === "")));
}

async function send(address, options, signal) {
  const headers = { Accept: "application/json" };
  const token = ofTab.get(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(address, { ...options, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service cannot be reached.");
  }
  const body = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (!response.ok || body === null)
    throw new ApiError(response.status, body?.message ?? "The service gave no answer.");
  return body;
}

/** The clusters that may be asked. */
export const listClusters = () => ask("clusters", []);

/** A page of workloads, the latest active first. */
export const listWorkloads = (search, cluster, pageSize, pageToken, signal) =>
  ask(
    "workloads",
    [
      ["search", search],
      ["cluster", cluster],
      ["page_size", pageSize],
      ["page_token", pageToken],
    ],
    signal,
  );

/** A workload as the list has it; null if the cluster has no records of it. */
export async function findListed({ cluster, uid }, signal) {
  let token = null;
  do {
    const page = await listWorkloads(uid, cluster, SEARCH_PAGE, token, signal);
    const found = page.workloads.find((each) => each.workload_uid === uid);
    if (found) return found;
    token = page.next_page_token;
  } while (token !== null);
  return null;
}

/** The parameters that name several workloads. */
export const namesOf = (workloads) => workloads.map(({ cluster, uid }) => ["workload", `${cluster}/${uid}`]);

const unknown = new UnknownClusters(listClusters);

/** Ask about several workloads. */
export const askAbout = (path, workloads, query, signal) =>
  unknown.ask(workloads, (others) => ask(path, [...namesOf(others), ...query], signal));

/** The progress of several workloads. */
export const readProgresses = (workloads, signal) => askAbout("metrics/progress", workloads, [], signal);

/** The targets of several workloads, by key. They are found in an index, so no workload is read for them. */
export async function readTargets(workloads, signal) {
  const query = [
    ["metric", "target_iteration"],
    ["method", "stride"],
    ["max_points", 2],
    ["layout", "columns"],
  ];
  const { series } = await askAbout("metrics/data", workloads, query, signal);
  const targets = new Map();
  for (const { cluster, workload_uid: uid, values } of series) targets.set(`${cluster}/${uid}`, values.at(-1));
  return targets;
}

/** The statistics of some metrics of several workloads; of all metrics if `names` is empty. */
export const readSummaries = (workloads, names, signal) => {
  const query = names.map((name) => ["metric", name]);
  return askAbout("metrics/summary", workloads, query, signal);
};
