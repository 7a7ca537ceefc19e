import assert from "node:assert/strict";
import test from "node:test";

import { PALETTE, assignSlots, styleOf } from "../../../lens_perf/web/pages/dashboard/colours.js";

const PAPERS = ["#ffffff", "#19212b"];

function luminance(colour) {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

test("every colour of the palette stands out on light and dark paper", () => {
  for (const colour of PALETTE)
    for (const paper of PAPERS)
      assert.ok(contrast(colour, paper) >= 3, `${colour} on ${paper}: ${contrast(colour, paper)}`);
});

test("a hundred runs of twelve attempts and three metrics share no pair of colour and dash", () => {
  const seen = new Set();
  for (let slot = 0; slot < 100; slot += 1) {
    for (let shade = 0; shade < 12; shade += 1) {
      for (let variant = 0; variant < 3; variant += 1) {
        const key = JSON.stringify(styleOf(slot, shade, variant));
        assert.ok(!seen.has(key), `${slot}, ${shade}, ${variant}: ${key}`);
        seen.add(key);
      }
    }
  }
});

test("a run keeps its colour when another is removed", () => {
  const slots = assignSlots(["a", "b", "c"], new Map());
  const later = assignSlots(["b", "c", "d"], slots);
  assert.equal(later.get("b"), slots.get("b"));
  assert.equal(later.get("c"), slots.get("c"));
  assert.equal(later.get("d"), slots.get("a"));
});
