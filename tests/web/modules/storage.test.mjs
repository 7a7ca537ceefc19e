import assert from "node:assert/strict";
import test from "node:test";

const { ofBrowser, ofTab } = await import("../../../lens_perf/web/pages/dashboard/storage.js");

const define = (name, get) => Object.defineProperty(globalThis, name, { get, configurable: true });
const refuse = () => {
  throw new Error("denied");
};

test("what the browser refuses to keep is kept by the page", () => {
  define("sessionStorage", refuse);
  assert.equal(ofTab.get("key"), null);
  ofTab.set("key", "text");
  assert.equal(ofTab.get("key"), "text");
  // A storage that is full can still be read.
  define("localStorage", () => ({ getItem: () => "before", setItem: refuse }));
  assert.equal(ofBrowser.get("key"), "before");
  ofBrowser.set("key", "after");
  assert.equal(ofBrowser.get("key"), "after");
});

test("what the browser keeps is read from there each time", () => {
  const kept = new Map();
  define("localStorage", () => ({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, text) => kept.set(key, text),
  }));
  ofBrowser.set("key", "text");
  kept.set("key", "of another tab");
  assert.equal(ofBrowser.get("key"), "of another tab");
});
