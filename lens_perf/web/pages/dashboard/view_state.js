// What is shown, as the address says it: so a view can be shared, and back and forward work.

export const DEFAULTS = { workloads: [], metrics: [], axis: "iteration", log: false, smoothing: 0, range: null };

/** Return the view that the address tells. */
export function readView() {
  const told = new URLSearchParams(location.hash.slice(1));
  const range = (told.get("range") ?? "").split("..").map(Number);
  return {
    workloads: told.getAll("w").map((text) => {
      const cut = text.indexOf("/");
      return { cluster: text.slice(0, cut), uid: text.slice(cut + 1) };
    }),
    metrics: told.getAll("m"),
    axis: told.get("axis") === "time" ? "time" : "iteration",
    log: told.get("log") === "1",
    smoothing: Math.min(0.99, Math.max(0, Number(told.get("smooth")) || 0)),
    range: range.length === 2 && range.every(Number.isFinite) ? range : null,
  };
}

/** Put `view` into the address: as a new entry of the history, or, with `replace`, in the place of the last. */
export function writeView(view, { replace = false } = {}) {
  const told = new URLSearchParams();
  for (const { cluster, uid } of view.workloads) told.append("w", `${cluster}/${uid}`);
  for (const name of view.metrics) told.append("m", name);
  if (view.axis !== DEFAULTS.axis) told.set("axis", view.axis);
  if (view.log) told.set("log", "1");
  if (view.smoothing) told.set("smooth", String(view.smoothing));
  if (view.range) told.set("range", view.range.map((end) => Math.round(end)).join(".."));
  const address = `#${told}`;
  if (address === (location.hash || "#")) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
}

/** Tell whether two workloads are the same. */
export const isSame = (one, other) => one.cluster === other.cluster && one.uid === other.uid;
