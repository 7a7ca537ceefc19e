// Puts the points of a line into the path of a canvas: each of them, or the extremes of each column of pixels. No DOM.

/** Draws a line from point to point. */
export class Pen {
  constructor(ctx) {
    Object.assign(this, { ctx, isDown: false });
  }

  goTo(x, y) {
    if (this.isDown) this.ctx.lineTo(x, y);
    else this.ctx.moveTo(x, y);
    this.isDown = true;
  }

  lift() {
    this.isDown = false;
  }
}

// A column in a gap of the dash is stroked if it is taller than so many CSS pixels, and so many times as tall as the
// columns before it usually are: a spike must not be lost in a gap, and a noisy line must remain dashed.
const TALL = 6;
const SPIKE = 3;
// The usual height is a moving average over about so many columns.
const RECENT = 16;
// Multiples of this share of a period are apart from each other, however many there are.
const APART = 0.618;

/** The phase of the dash of the line `index` of a chart: lines with the same gaps would look like a comb. */
export const phaseOf = (dash, index) => sum(dash) * ((index * APART) % 1);

/**
 * Draws a line of several points a pixel: in each column of pixels from the least to the greatest of its points, which
 * looks the same in half the time. It is dashed along x, where it is flat: dashes along a line that goes up and down
 * are not seen as such, and are so many that painting takes ten times as long.
 */
export class ColumnPen {
  /** The lengths of `dash` and its `phase` are in CSS pixels. */
  constructor(ctx, dash, phase, { ratio }) {
    Object.assign(this, { ctx, dash: dash.map((length) => length * ratio), column: null, isDown: false, last: 0 });
    Object.assign(this, { period: sum(this.dash), phase: phase * ratio, tall: TALL * ratio, usual: null });
  }

  goTo(x, y) {
    const column = Math.floor(x);
    if (column === this.column) {
      this.low = Math.min(this.low, y);
      this.high = Math.max(this.high, y);
      return;
    }
    this.draw();
    Object.assign(this, { column, low: y, high: y });
  }

  lift() {
    this.draw();
    Object.assign(this, { column: null, isDown: false });
  }

  /** Draw the column from the end that is nearer to the one before. */
  draw() {
    if (this.column === null) return;
    const { ctx, low, high, last } = this;
    const x = this.column + 0.5;
    const [near, far] = Math.abs(low - last) <= Math.abs(high - last) ? [low, high] : [high, low];
    // The way from the column before is a part of a spike, too.
    const height = this.isDown ? Math.max(high, last) - Math.min(low, last) : high - low;
    const isOn = height > Math.max(this.tall, SPIKE * (this.usual ?? height)) || this.isOn(x);
    this.usual = this.usual === null ? height : this.usual + (height - this.usual) / RECENT;
    // In a gap, the path goes on at the end of the column.
    if (!isOn) ctx.moveTo(x, far);
    else if (this.isDown) ctx.lineTo(x, near);
    else ctx.moveTo(x, near);
    // A path without a length is not painted, such as that of equal points in one column.
    if (isOn && (far !== near || !this.isDown)) ctx.lineTo(far === near ? x + 0.5 : x, far);
    Object.assign(this, { last: far, isDown: true });
  }

  /** Whether a place is on a stroke of the dash, whose lengths are strokes and gaps in turn. */
  isOn(x) {
    if (!this.period) return true;
    let rest = (((x + this.phase) % this.period) + this.period) % this.period;
    const index = this.dash.findIndex((length) => (rest -= length) < 0);
    return index % 2 === 0;
  }
}

const sum = (lengths) => lengths.reduce((total, length) => total + length, 0);
