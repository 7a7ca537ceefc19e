// What the browser keeps: for the tab, or for all visits. Where it refuses, because site data are blocked or the
// storage is full, the page itself keeps it until it is closed. No DOM.

class KeptValues {
  /** `name` is that of the storage in the global object. Where site data are blocked, reading that property throws. */
  constructor(name) {
    Object.assign(this, { name, refused: new Map() });
  }

  /** The text kept as `key`, null if there is none. */
  get(key) {
    if (this.refused.has(key)) return this.refused.get(key);
    try {
      return globalThis[this.name].getItem(key);
    } catch {
      return null;
    }
  }

  set(key, text) {
    this.refused.delete(key);
    try {
      globalThis[this.name].setItem(key, text);
    } catch {
      this.refused.set(key, text);
    }
  }
}

export const ofTab = new KeptValues("sessionStorage");
export const ofBrowser = new KeptValues("localStorage");
