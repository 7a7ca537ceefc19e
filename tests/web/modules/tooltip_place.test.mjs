// Where tooltips are shown.
import assert from "node:assert/strict";
import { test } from "node:test";

import { findTooltipPlace } from "../../../lens_perf/web/pages/dashboard/tooltip_place.js";

const DESKTOP = { width: 1280, height: 900 };
const STAGE = { left: 300, top: 400, right: 800, bottom: 660 };

test("a narrow one is beside the cursor, on the side that has room on the chart", () => {
  const size = { width: 200, height: 60 };
  assert.deepEqual(findTooltipPlace(STAGE, { left: 400, top: 500 }, size, DESKTOP), {
    left: 414,
    top: 480,
    isOver: true,
  });
  assert.deepEqual(findTooltipPlace(STAGE, { left: 700, top: 500 }, size, DESKTOP), {
    left: 486,
    top: 480,
    isOver: true,
  });
});

test("a wide one is beside the chart, else below or above it", () => {
  const size = { width: 400, height: 200 };
  const cursor = { left: 500, top: 500 };
  assert.deepEqual(findTooltipPlace(STAGE, cursor, size, DESKTOP), { left: 814, top: 480, isOver: false });
  const right = { ...STAGE, left: 700, right: 1200 };
  assert.deepEqual(findTooltipPlace(right, cursor, size, DESKTOP), { left: 286, top: 480, isOver: false });
  const phone = { width: 420, height: 900 };
  const full = { ...STAGE, left: 10, right: 410 };
  assert.deepEqual(findTooltipPlace(full, cursor, size, phone), { left: 12, top: 668, isOver: false });
  const low = { ...full, top: 600, bottom: 860 };
  assert.deepEqual(findTooltipPlace(low, cursor, size, phone), { left: 12, top: 392, isOver: false });
});

test("none leaves the window, whatever its size and the place of the chart", () => {
  for (const width of [80, 200, 370])
    for (const height of [40, 300, 800])
      for (const top of [-200, 0, 300, 700])
        for (const [x, y] of [0, 0.5, 1].flatMap((one) => [0, 0.5, 1].map((other) => [one, other]))) {
          const stage = { left: 10, top, right: 380, bottom: top + 260 };
          const cursor = { left: 10 + 370 * x, top: top + 260 * y };
          const place = findTooltipPlace(stage, cursor, { width, height }, { width: 390, height: 844 });
          assert.ok(place.left >= 0 && place.left + width <= 390, JSON.stringify(place));
          assert.ok(place.top >= 0 && place.top + height <= 844, JSON.stringify(place));
        }
});
