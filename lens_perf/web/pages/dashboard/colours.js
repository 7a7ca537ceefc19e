// The palette: one colour for each run, shades of it for its attempts; no two lines share both colour and dash.

// At least 3 to 1 against the paper of either theme, and apart for the colour-blind (after Okabe and Ito).
export const PALETTE = [
  "#0b78b8",
  "#d55e00",
  "#009e73",
  "#b5559c",
  "#8a6fd1",
  "#a97900",
  "#d1495b",
  "#5f7f9e",
  "#6b9a1f",
  "#2a93a8",
];
// The colour itself, and lighter ones.
const SHADES = [0, 0.3, 0.46, 0.58, 0.68];

/** Return the colour and dash (lengths in CSS pixels; empty: a solid line) of an attempt, or of a whole run.
 *
 * `slot` is the run's place in the palette, `shade` counts attempts back from the last one, 0, `variant` distinguishes
 * lines of one attempt (metrics of one chart, data sources). Different arguments give different pairs while there are
 * fewer than 8 variants. */
export function styleOf(slot, shade = 0, variant = 0) {
  const round = Math.floor(slot / PALETTE.length);
  const dashing = variant + 8 * (round + 16 * Math.floor(shade / SHADES.length));
  return { colour: mix(PALETTE[slot % PALETTE.length], SHADES[shade % SHADES.length]), dash: makeDash(dashing) };
}

/** Give each key a slot that it keeps for as long as it is in `keys`; `slots` is the Map of the last call. */
export function assignSlots(keys, slots) {
  const kept = new Map([...slots].filter(([key]) => keys.includes(key)));
  const isTaken = new Set(kept.values());
  for (const key of keys) {
    if (kept.has(key)) continue;
    let slot = 0;
    while (isTaken.has(slot)) slot += 1;
    isTaken.add(slot);
    kept.set(key, slot);
  }
  return kept;
}

/** Mix with white (`share` above 0) or black (below). */
function mix(colour, share) {
  const goal = share > 0 ? 255 : 0;
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `#${parts
    .map((part) =>
      Math.round(part + (goal - part) * Math.abs(share))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** Return a pattern of its own for each number. */
function makeDash(number) {
  if (number === 0) return [];
  const rest = Math.floor(number / 64);
  return [2 + 3 * (number % 8), 3 + 2 * (Math.floor(number / 8) % 8), ...(rest ? [5 + 2 * rest, 4] : [])];
}
