// Shows names on one line: one that has no room is cut in the middle, as the runs of a sweep differ at the end.

import { make } from "./words.js";

// Shorter names are cut at the end. Of others, so many characters at the end, or this share, are the last to be cut.
const LEAST = 6;
const MOST_END = 18;
const END_SHARE = 0.6;

/** How many characters at the end of a name of `length` are the last to be cut. */
const measureEnd = (length) => (length < LEAST ? 0 : Math.min(MOST_END, Math.floor(length * END_SHARE)));

/**
 * Show `name` in `element`, and return that. The end of the name, and the whole `suffix` after it, are the last to be
 * cut; `prefix`, with which the name begins, is not seen. Whatever is seen, the text of `element` is whole: for screen
 * readers, for copying and for searching.
 */
export function showName(element, name, { prefix = "", suffix = "", title = `${name}${suffix}` } = {}) {
  if (element.title !== title) element.title = title;
  if (element.textContent === `${name}${suffix}`) return element;
  const seen = [...name.slice(prefix.length)];
  const length = measureEnd(seen.length);
  const begin = seen.slice(0, seen.length - length).join("");
  const end = `${seen.slice(seen.length - length).join("")}${suffix}`;
  element.classList.add("cut");
  // The style sheet draws the end, so that the text is that of one element without breaks.
  element.dataset.end = end;
  element.replaceChildren(
    make(
      "span",
      { className: "begin" },
      prefix && make("span", { className: "undrawn" }, prefix),
      begin,
      end && make("span", { className: "undrawn" }, end),
    ),
  );
  return element;
}

/**
 * Return `name` with its `suffix`, cut as by showName() to what is at most `room` wide, for pictures; `measure` returns
 * the width of a text.
 */
export function cutName(name, { suffix = "", room, measure }) {
  if (measure(`${name}${suffix}`) <= room) return `${name}${suffix}`;
  const signs = [...name, ...suffix];
  const most = measureEnd([...name].length) + [...suffix].length;
  const keep = (count) => {
    const end = Math.min(most, count);
    return `${signs.slice(0, count - end).join("")}…${signs.slice(signs.length - end).join("")}`;
  };
  let [least, above] = [0, signs.length];
  while (above - least > 1) {
    const middle = (least + above) >> 1;
    if (measure(keep(middle)) <= room) least = middle;
    else above = middle;
  }
  return keep(least);
}
