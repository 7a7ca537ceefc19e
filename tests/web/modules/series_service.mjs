// A service that answers requests for series as the API describes it, of the parameters that matter to the store, and
// what the tests of the store ask of it.

globalThis.document = { documentElement: { dataset: { api: "v1" } }, baseURI: "http://host/lens/" };
globalThis.sessionStorage = { getItem: () => null };

// `asked`: the requests so far; `stored`: by uid, the iterations it has, which are also the times, null for a copy that
// is being built;
// `changes`: by uid, `{iterations, reset}` since any cursor.
export const service = { asked: [], stored: {}, changes: {} };

export function reset() {
  Object.assign(service, { asked: [], stored: { one: [1, 2], two: [1] }, changes: {} });
}

const writeSeries = (uid, metric, iterations, axis) => ({
  cluster: "a",
  workload_uid: uid,
  metric_name: metric,
  data_source: "log",
  serial: 0,
  iterations,
  timestamps: iterations,
  values: iterations,
  ...(axis === "tokens" ? { axis_values: iterations.map((iteration) => 10 * iteration) } : {}),
});

function answer(query) {
  const { asked, stored, changes } = service;
  const uids = query.getAll("workload").map((name) => name.slice(2));
  const names = query.getAll("metric").length ? query.getAll("metric") : ["loss", "lr"];
  const cursors = (query.get("after") ?? "").split(".");
  const ready = uids.filter((uid) => stored[uid]);
  const isWithin = (at) =>
    ["start_iteration", "start"].every((name) => !query.get(name) || at >= Number(query.get(name))) &&
    ["end_iteration", "end"].every((name) => !query.get(name) || at <= Number(query.get(name)));
  const isChange = (uid) => Boolean(cursors[uids.indexOf(uid)]) && !changes[uid]?.reset;
  return {
    series: ready
      .flatMap((uid) =>
        names.map((name) =>
          writeSeries(
            uid,
            name,
            (isChange(uid) ? (changes[uid]?.iterations ?? []) : stored[uid]).filter(isWithin),
            query.get("axis"),
          ),
        ),
      )
      .filter(({ values }) => values.length),
    warnings: uids
      .filter((uid) => !stored[uid])
      .map((uid) => ({ cluster: "a", workload_uid: uid, message: "37 % done" })),
    workloads: ready.map((uid) => ({
      cluster: "a",
      workload_uid: uid,
      cursor: `${uid}${asked.length}`,
      reset: !isChange(uid),
      changed: isChange(uid)
        ? (changes[uid]?.iterations ?? []).map((iteration) => ({ data_source: "log", iteration }))
        : [],
      sampling: { bucket_width: 4 },
    })),
  };
}

globalThis.fetch = async (address, { method = "GET", body }) => {
  const query = method === "POST" ? body : address.searchParams;
  service.asked.push({ method, query });
  return { ok: true, json: async () => answer(query) };
};

export const VIEW = { axis: "iteration", xRange: null, metrics: [["loss"], ["lr"]] };
export const runOf = (uid) => ({ key: `a/${uid}`, cluster: "a", uid });
export const RUNS = [runOf("one"), runOf("two")];
export const { signal } = new AbortController();

/** The requests for full series. */
export const full = () => service.asked.filter(({ query }) => query.has("after"));

export const iterationsOf = (store, key, name = "loss") =>
  store.seriesOf(key, name).flatMap(({ iterations }) => [...iterations]);

/** Have `store` read what `view` needs; `service.asked` has the requests for that alone. */
export async function load(store, view = VIEW, runs = RUNS) {
  service.asked = [];
  await store.load(runs, view, { signal, points: 800 });
}
