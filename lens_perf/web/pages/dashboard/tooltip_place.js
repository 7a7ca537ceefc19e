// Where a tooltip is shown: beside the cursor, else beside, below or above the chart, within the window. No DOM.

const APART = 14;
const MARGIN = 8;
// How much lower the cursor is than the top of a tooltip beside it.
const BELOW_TOP = 20;

/**
 * Return the place `{left, top, isOver}` of a tooltip of `size` in a window of `width` and `height`, in pixels of the
 * window. `isOver` says whether it covers a part of the chart at `stage`, which has its left, top, right and bottom.
 */
export function findTooltipPlace(stage, cursor, size, { width, height }) {
  const [lastLeft, lastTop] = [width - MARGIN - size.width, height - MARGIN - size.height];
  const keep = (at, last) => Math.max(MARGIN, Math.min(at, last));
  const beside = keep(cursor.top - BELOW_TOP, lastTop);
  const [right, left] = [cursor.left + APART, cursor.left - APART - size.width];
  // A wider one would cover most of the chart at some places of the cursor.
  if (size.width + APART <= (stage.right - stage.left) / 2)
    return { left: keep(right + size.width <= stage.right ? right : left, lastLeft), top: beside, isOver: true };
  const along = keep(cursor.left - size.width / 2, lastLeft);
  const outside = [
    { left: stage.right + APART, top: beside },
    { left: stage.left - APART - size.width, top: beside },
    { left: along, top: stage.bottom + MARGIN },
    { left: along, top: stage.top - MARGIN - size.height },
  ].find((each) => each.left >= MARGIN && each.left <= lastLeft && each.top >= MARGIN && each.top <= lastTop);
  if (outside) return { ...outside, isOver: false };
  return { left: keep(right <= lastLeft || left < MARGIN ? right : left, lastLeft), top: beside, isOver: true };
}
