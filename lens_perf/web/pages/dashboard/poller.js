// When to ask about a run again: often while it runs, rarely once it has ended. No DOM.

// A request that takes long is followed by a pause this many times as long: the database rests. What reads all of a
// workload rests longer than what reads only what is new.
const LONG_REST = 10;
export const SHORT_REST = 3;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

// Pauses by state; a run whose state is not known yet counts as running, one that could not be read as stalled.
export const POINTS = { running: 3 * SECOND, stalled: 15 * SECOND, ended: 5 * MINUTE, finished: 5 * MINUTE };
export const PROGRESS = { running: 10 * SECOND, stalled: 15 * SECOND, ended: MINUTE, finished: MINUTE };
// Which metrics there are.
export const METRICS = { running: MINUTE, stalled: 5 * MINUTE, ended: 30 * MINUTE, finished: 30 * MINUTE };
// What every run does at once while the tab is hidden: for notifications alone.
export const HIDDEN = { running: MINUTE, stalled: MINUTE, ended: 10 * MINUTE, finished: 10 * MINUTE };
export const LIST = 30 * SECOND;

export class Schedule {
  constructor(pauses, restFactor = LONG_REST) {
    Object.assign(this, { pauses, restFactor });
    // By key of a run, when it was asked about and when that was answered.
    this.asked = new Map();
  }

  /** Return the runs whose pause is over at `now`, in milliseconds; `pauses` replaces the usual ones. */
  due(runs, now, pauses = this.pauses) {
    return runs.filter(({ key, state, asOf }) => {
      const last = this.asked.get(key);
      if (!last) return true;
      if (last.end === null) return false;
      const pause = last.isHurried ? 0 : ((asOf ? pauses.stalled : pauses[state]) ?? pauses.running);
      return now >= last.end + Math.max(pause, this.restFactor * (last.end - last.begin));
    });
  }

  /** Call `request` about `runs`; until it is answered, none of them is due. */
  async ask(runs, request, clock = Date.now) {
    const begin = clock();
    for (const { key } of runs) this.asked.set(key, { begin, end: null });
    let isAborted = false;
    try {
      return await request(runs);
    } catch (error) {
      isAborted = error.name === "AbortError";
      throw error;
    } finally {
      // What another view has interrupted is due at once.
      for (const { key } of runs) {
        if (isAborted) this.asked.delete(key);
        else this.asked.set(key, { begin, end: clock() });
      }
    }
  }

  /** Note that `runs` were read otherwise just now. */
  note(runs, now) {
    for (const { key } of runs) this.asked.set(key, { begin: now, end: now });
  }

  /** Make runs due as soon as the database has rested. */
  hurry(keys) {
    for (const key of keys) if (this.asked.has(key)) this.asked.get(key).isHurried = true;
  }
}

/** When to try again after a failure: later each time. */
export class Retry {
  constructor() {
    this.succeed();
  }

  succeed() {
    Object.assign(this, { failures: 0, at: 0 });
  }

  fail(now) {
    this.at = now + Math.min(MINUTE, 2 * SECOND * 2 ** this.failures);
    this.failures += 1;
  }

  isDue(now) {
    return now >= this.at;
  }
}

/** Call `action` for ever, one call after another: a slow answer delays the next request. */
export async function repeat(action, pause) {
  for (;;) {
    await new Promise((done) => {
      setTimeout(done, pause);
    });
    await action();
  }
}
