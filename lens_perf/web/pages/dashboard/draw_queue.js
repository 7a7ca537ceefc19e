// Draws charts over several frames, so that the page follows the pointer in between. No DOM.

export class DrawQueue {
  /** `onEmpty` is called when all charts are drawn. */
  constructor(onEmpty, request = (draw) => requestAnimationFrame(draw)) {
    Object.assign(this, { onEmpty, request, charts: new Set(), isRequested: false });
  }

  get isEmpty() {
    return this.charts.size === 0;
  }

  /** Draw `chart`, which has draw() and isNext, in one of the next frames, once however often it is added. */
  add(chart) {
    this.charts.add(chart);
    this.schedule();
  }

  schedule() {
    if (this.isRequested) return;
    this.isRequested = true;
    this.request(() => this.run());
  }

  remove(chart) {
    this.charts.delete(chart);
  }

  /** Draw one chart, the one that is next first: the browser paints what is drawn here at the end of the frame. */
  run() {
    this.isRequested = false;
    const [chart] = [...this.charts].sort((one, other) => other.isNext - one.isNext);
    this.charts.delete(chart);
    try {
      chart?.draw();
    } finally {
      if (this.isEmpty) this.onEmpty();
      else this.schedule();
    }
  }
}
