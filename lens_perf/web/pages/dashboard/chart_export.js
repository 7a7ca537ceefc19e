// Writes a chart as CSV, and as SVG by the painter that draws it on the canvas.

import { writeCsv } from "./csv.js";

const escapeXml = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
/** The points that are drawn, one a line, with the smoothed value where there is one. */
export function writePoints(lines, axis) {
  const isOther = !["iteration", "time", "relative_time"].includes(axis);
  const rows = [
    [
      "run",
      "metric",
      "data_source",
      "attempt",
      "iteration",
      "timestamp",
      ...(isOther ? [axis] : []),
      "value",
      "smoothed",
      "discarded",
    ],
  ];
  for (const line of lines) {
    const smoothed = new Map(line.trend ? line.unbiased.map((place, index) => [place, line.trend.y[index]]) : []);
    for (let index = 0; index < line.x.length; index += 1) {
      const blank = (value) => (Number.isNaN(value) ? null : value);
      rows.push([
        line.run,
        line.metric,
        line.source,
        line.attempt?.number ?? null,
        blank(line.iterations[index]),
        blank(line.times[index]),
        ...(isOther ? [line.x[index]] : []),
        line.values[index],
        smoothed.get(index) ?? null,
        index >= line.kept ? "yes" : "no",
      ]);
    }
  }
  return writeCsv(rows);
}

/** Has the methods of a canvas that the painter calls, and collects SVG. */
export class SvgContext {
  constructor(width, height) {
    Object.assign(this, { width, height, parts: [], path: "", dash: [], clips: 0, groups: [] });
    Object.assign(this, {
      strokeStyle: "#000",
      fillStyle: "#000",
      lineWidth: 1,
      globalAlpha: 1,
      font: "12px sans-serif",
      textAlign: "start",
      lineDashOffset: 0,
    });
  }

  save() {
    this.groups.push(0);
  }

  restore() {
    this.parts.push("</g>".repeat(this.groups.pop() ?? 0));
  }

  beginPath() {
    this.path = "";
  }

  moveTo(x, y) {
    this.path += `M${round(x)} ${round(y)}`;
  }

  lineTo(x, y) {
    this.path += `L${round(x)} ${round(y)}`;
  }

  rect(x, y, width, height) {
    this.path += `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}z`;
  }

  arc(x, y, radius) {
    const size = round(radius);
    const half = (width) => `a${size} ${size} 0 1 0 ${width} 0`;
    this.path += `M${round(x - radius)} ${round(y)}${half(2 * size)}${half(-2 * size)}`;
  }

  clip() {
    this.clips += 1;
    this.groups[this.groups.length - 1] += 1;
    this.parts.push(
      `<clipPath id="clip${this.clips}"><path d="${this.path}"/></clipPath><g clip-path="url(#clip${this.clips})">`,
    );
  }

  setLineDash(dash) {
    this.dash = dash;
  }

  stroke() {
    if (!this.path) return;
    const offset = this.lineDashOffset ? ` stroke-dashoffset="${round(this.lineDashOffset)}"` : "";
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"${offset}` : "";
    const width = `stroke-width="${this.lineWidth}" stroke-linejoin="round"${dash}`;
    const stroke = `stroke="${this.strokeStyle}" stroke-opacity="${this.globalAlpha}" ${width}`;
    this.parts.push(`<path d="${this.path}" fill="none" ${stroke}/>`);
  }

  fill() {
    this.parts.push(`<path d="${this.path}" fill="${this.fillStyle}" fill-opacity="${this.globalAlpha}"/>`);
  }

  fillRect(x, y, width, height) {
    this.parts.push(`<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${this.fillStyle}"/>`);
  }

  fillText(text, x, y) {
    const anchor = { center: "middle", right: "end", end: "end" }[this.textAlign] ?? "start";
    const font = `font-family="system-ui, sans-serif" font-size="${parseFloat(this.font)}" text-anchor="${anchor}"`;
    const place = `x="${round(x)}" y="${round(y)}"`;
    this.parts.push(`<text ${place} fill="${this.fillStyle}" ${font}>${escapeXml(text)}</text>`);
  }

  /** The document. */
  finish() {
    const { width, height } = this;
    const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${this.parts.join("")}</svg>\n`;
  }
}

const round = (value) => Math.round(value * 100) / 100;

/** A file name made of the metrics of a chart. */
export const nameFile = (names, ending) =>
  `${names
    .join("-")
    .replace(/[^A-Za-z0-9._-]+/g, "_")
    .slice(0, 100)}.${ending}`;
