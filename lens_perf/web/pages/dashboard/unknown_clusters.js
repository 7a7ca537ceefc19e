// Explains why a request was refused: its view names clusters that do not exist. No DOM.

/** The message of `error`; of a refused request, with the unknown clusters of `workloads` and the known ones. */
export async function explainRefusal(error, workloads, { listClusters }) {
  if (error.status !== 400) return error.message;
  const known = await listClusters().then(
    ({ clusters }) => clusters.map(({ name }) => name),
    () => null,
  );
  const unknown = [...new Set(workloads.map(({ cluster }) => cluster))].filter((name) => !known?.includes(name));
  if (!known || !unknown.length) return error.message;
  return `Unknown cluster ${unknown.join(", ")}; expected one of ${known.join(", ")}.`;
}
