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

/**
 * Draws a line of several points a pixel: in each column of pixels from the least to the greatest of its points, which
 * looks the same in half the time. It is dashed along x: dashes along a line that goes up and down are not seen as
 * such, and are so many that painting takes ten times as long.
 */
export class ColumnPen {
  constructor(ctx, dash, { ratio }) {
    Object.assign(this, { ctx, dash: dash.map((length) => length * ratio), column: null, isDown: false, last: 0 });
    this.period = this.dash.reduce((sum, length) => sum + length, 0);
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
    const isOn = this.isOn(x);
    const [near, far] = Math.abs(low - last) <= Math.abs(high - last) ? [low, high] : [high, low];
    if (this.isDown && isOn) ctx.lineTo(x, near);
    else ctx.moveTo(x, near);
    // A path without a length is not painted, such as that of equal points in one column.
    if (isOn && (far !== near || !this.isDown)) ctx.lineTo(far === near ? x + 0.5 : x, far);
    Object.assign(this, { last: far, isDown: true });
  }

  /** Whether a place is on a stroke of the dash, whose lengths are strokes and gaps in turn. */
  isOn(x) {
    if (!this.period) return true;
    let rest = ((x % this.period) + this.period) % this.period;
    const index = this.dash.findIndex((length) => (rest -= length) < 0);
    return index % 2 === 0;
  }
}
