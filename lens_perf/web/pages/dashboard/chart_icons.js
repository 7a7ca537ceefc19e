// The icons of the charts' buttons, as paths of 16 by 16.

const SVG = "http://www.w3.org/2000/svg";

export const ICONS = {
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  pin: "M6 2h4v4l2 3H4l2-3zM8 9v5",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10",
  full: "M6 2H2v4M10 2h4v4M6 14H2v-4M10 14h4v-4",
  add: "M8 3v10M3 8h10",
  // The letters.
  log: "M1.5 4v8M8.2 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0M14.5 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0V13a2 2 0 0 1-3.8.8",
  range: "M8 2v12M5 5l3-3 3 3M5 11l3 3 3-3",
};

/** An icon; its button has the words. */
export function makeIcon(name) {
  const icon = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 16 16",
    width: 15,
    height: 15,
    "aria-hidden": "true",
    class: "icon",
  }))
    icon.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  icon.append(path);
  return icon;
}
