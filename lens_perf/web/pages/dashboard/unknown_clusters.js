// Leaves the workloads of clusters that do not exist out of requests; they become warnings of the answers. No DOM.

export class UnknownClusters {
  /** `listClusters` returns the clusters that may be asked. */
  constructor(listClusters) {
    // By name of an unknown cluster, what to say about it.
    Object.assign(this, { listClusters, messages: new Map() });
  }

  /** Call `send` with the other workloads, and return its answer with the warnings. */
  async ask(workloads, send) {
    const isUnknown = ({ cluster }) => this.messages.has(cluster);
    const others = workloads.filter((each) => !isUnknown(each));
    const warnings = workloads
      .filter(isUnknown)
      .map(({ cluster, uid }) => ({ cluster, workload_uid: uid, message: this.messages.get(cluster) }));
    if (!others.length) return { workloads: [], series: [], warnings };
    try {
      const answer = await send(others);
      return { ...answer, warnings: [...answer.warnings, ...warnings] };
    } catch (error) {
      if (error.status !== 400 || !(await this.learn(others))) throw error;
      return this.ask(workloads, send);
    }
  }

  /** Note the clusters of `workloads` that do not exist; return whether there are any. */
  async learn(workloads) {
    const known = await this.listClusters().then(
      ({ clusters }) => clusters.map(({ name }) => name),
      () => null,
    );
    if (!known) return false;
    const unknown = workloads.map(({ cluster }) => cluster).filter((name) => !known.includes(name));
    for (const name of unknown)
      this.messages.set(name, `Unknown cluster ${name}; expected one of ${known.join(", ")}.`);
    return unknown.length > 0;
  }
}
