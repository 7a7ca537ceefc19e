// Paints the lines of a chart and its marks, on a canvas or on what has the same methods.

import { ColumnPen, Pen, phaseOf } from "./chart_pens.js";

// A line of no more visible points than this shows each of them.
const FEW_POINTS = 40;
// A line of fewer points a pixel is drawn from point to point: its columns of pixels would make it a staircase.
const DENSE_POINTS = 2;
// A line that is sparse beside others is set off from them, with a marker at each point as long as they have room.
const SPARSE_WIDTH = 2;
const HALO = 3;
const MARKER_ROOM = 10;
// The lines of a chart of more visible points are a pixel wide: a processor paints wider ones 30 times as slowly.
const MANY_POINTS = 4000;
const DISCARDED_DASH = [2, 3];
const GAP_DASH = [1, 4];
const CROSS = 4;
// Canvases draw nothing right beyond this.
const FARTHEST = 30_000;

/** The frame of a plot: where its scales are on the canvas, whose pixels are 1 / `ratio` CSS pixels. */
export function makeFrame({ left, top, width, height }, xRange, yRange, { log, ratio }) {
  const scale = log ? Math.log10 : (value) => value;
  const [low, high] = yRange.map(scale);
  const clamp = (place) => Math.min(FARTHEST, Math.max(-FARTHEST, place));
  return {
    left,
    top,
    width,
    height,
    ratio,
    toX: (x) => clamp(left + ((x - xRange[0]) / (xRange[1] - xRange[0])) * width),
    toY: log
      ? (y) => (y > 0 ? clamp(top + height - ((scale(y) - low) / (high - low)) * height) : NaN)
      : (y) => clamp(top + height - ((y - low) / (high - low)) * height),
  };
}

/** Paint everything within the frame; `highlighted` is the key of a run to emphasise, or null; `paper` is below it. */
export function paint(ctx, { lines, restarts, nonFinite }, frame, { highlighted = null, bad, paper }) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(frame.left, frame.top, frame.width, frame.height);
  ctx.clip();
  ctx.lineJoin = "round";
  paintRestarts(ctx, restarts, frame);
  const isCrowded = lines.reduce((count, { x }) => count + x.length, 0) > MANY_POINTS;
  const isFaint = (line) => highlighted !== null && line.run !== highlighted;
  const rank = (line) => (isFaint(line) ? 0 : 2) + (line.isSparse ? 1 : 0);
  const places = new Map(lines.map((line, index) => [line, index]));
  for (const line of [...lines].sort((one, other) => rank(one) - rank(other))) {
    const alpha = isFaint(line) ? 0.15 : 1;
    const width = line.isSparse ? SPARSE_WIDTH : isCrowded ? 1 : line.trend ? 2 : 1.6;
    const halo = line.isSparse ? paper : null;
    const style = { colour: line.colour, dash: line.dash, place: places.get(line) };
    if (line.trend) {
      paintLine(ctx, line.path, style, frame, { alpha: alpha * 0.28, width: 1 });
      paintLine(ctx, line.trend.path, style, frame, { alpha, width, halo, isTrend: true });
    } else paintLine(ctx, line.path, style, frame, { alpha, width, halo });
  }
  paintNonFinite(ctx, nonFinite, frame, bad);
  ctx.restore();
}

/**
 * Paint the path of a line in the colour and dash of `style`, whose `place` is that of the line in the chart: from
 * `kept` on as discarded, across gaps dotted. A `halo` sets it off from lines of the same colour below it. Its ends are
 * no points, and have no markers.
 */
function paintLine(ctx, { x, y, gaps, kept }, style, frame, { alpha, width, halo = null, isTrend = false }) {
  const last = x.length - 1;
  const breaks = new Set(gaps);
  const isDense = last - 1 >= frame.width * DENSE_POINTS;
  const isMarked = !isTrend && last - 1 <= (halo ? frame.width / frame.ratio / MARKER_ROOM : FEW_POINTS);
  const parts = [
    [0, kept, alpha, style.dash],
    [kept, x.length, alpha * 0.5, DISCARDED_DASH],
  ];
  for (const [from, to, opacity, dash] of parts) {
    if (to <= from) continue;
    ctx.globalAlpha = opacity;
    const phase = phaseOf(dash, style.place);
    const draw = (size, colour) => {
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = size * frame.ratio;
      const pen = isDense ? new ColumnPen(ctx, dash, phase, frame) : new Pen(ctx);
      const lone = strokeSegments(ctx, x, y, from, to, breaks, frame, pen);
      const radius = (width * 1.5 + (size - width) / 2) * frame.ratio;
      setDash(ctx, [], frame);
      for (const index of isMarked ? range(from, to) : lone)
        if (index > 0 && index < last) paintMarker(ctx, frame.toX(x[index]), frame.toY(y[index]), radius);
    };
    if (halo) draw(width + HALO, halo);
    if (!isDense) setDash(ctx, dash, frame, phase);
    draw(width, style.colour);
  }
  ctx.globalAlpha = alpha * 0.6;
  setDash(ctx, GAP_DASH, frame);
  for (const index of gaps) strokeSegments(ctx, x, y, index - 1, index + 1, new Set(), frame, new Pen(ctx));
  setDash(ctx, [], frame);
  ctx.globalAlpha = 1;
}

/** Stroke the runs of points that follow each other; return the places of points without a neighbour. */
function strokeSegments(ctx, x, y, from, to, breaks, frame, pen) {
  const lone = [];
  let length = 0;
  const finish = (index) => {
    pen.lift();
    if (length === 1) lone.push(index - 1);
    length = 0;
  };
  ctx.beginPath();
  for (let index = from; index < to; index += 1) {
    const place = frame.toY(y[index]);
    if (Number.isNaN(place) || breaks.has(index)) finish(index);
    if (Number.isNaN(place)) continue;
    pen.goTo(frame.toX(x[index]), place);
    length += 1;
  }
  finish(to);
  ctx.stroke();
  return lone;
}

function paintMarker(ctx, x, y, radius) {
  if (Number.isNaN(y)) return;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

function paintRestarts(ctx, restarts, frame) {
  ctx.lineWidth = frame.ratio;
  setDash(ctx, [4, 4], frame);
  for (const { at, colour } of restarts) {
    ctx.strokeStyle = colour;
    ctx.globalAlpha = 0.6;
    ctx.beginPath();
    ctx.moveTo(frame.toX(at), frame.top);
    ctx.lineTo(frame.toX(at), frame.top + frame.height);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
  setDash(ctx, [], frame);
}

/** A cross at the foot of the plot for each place of a value that is not finite, as many as there is room for. */
function paintNonFinite(ctx, nonFinite, frame, colour) {
  const size = CROSS * frame.ratio;
  const foot = frame.top + frame.height - 2 * size;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * frame.ratio;
  const taken = new Set();
  for (const { x } of nonFinite) {
    const place = frame.toX(x);
    const room = Math.round(place / size);
    if (taken.has(room)) continue;
    taken.add(room);
    ctx.beginPath();
    ctx.moveTo(place - size, foot - size);
    ctx.lineTo(place + size, foot + size);
    ctx.moveTo(place - size, foot + size);
    ctx.lineTo(place + size, foot - size);
    ctx.stroke();
  }
}

function setDash(ctx, dash, { ratio }, phase = 0) {
  ctx.setLineDash(dash.map((length) => length * ratio));
  ctx.lineDashOffset = phase * ratio;
}

const range = (from, to) => Array.from({ length: to - from }, (_, index) => from + index);
