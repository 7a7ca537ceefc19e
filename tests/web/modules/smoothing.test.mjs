// Smoothing depends on the data and the range, not on which points a sample kept.
import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, distanceOf, pickUnbiased, smooth } from "../../../lens_perf/web/pages/dashboard/smoothing.js";

const kinds = Object.keys(KINDS).filter((kind) => kind !== "none");

/** Numbers from 0 to 1 that look random and are the same each time. */
function makeRandom(state = 12345) {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A falling loss with noise that is skewed upwards, as spikes are. */
function makeLoss(count) {
  const random = makeRandom();
  const x = Float64Array.from({ length: count }, (_, index) => index);
  return { x, y: x.map((at) => 0.8 + 2 / (1 + at / 3000) + random() ** 8 * 3) };
}

/** What the service returns: of each bucket the first, last, least and greatest point. */
function sample({ x, y }, width) {
  const places = [];
  for (let begin = 0; begin < x.length; begin += width) {
    const end = Math.min(begin + width, x.length);
    let [least, greatest] = [begin, begin];
    for (let index = begin; index < end; index += 1) {
      if (y[index] < y[least]) least = index;
      if (y[index] > y[greatest]) greatest = index;
    }
    places.push(...new Set([begin, least, greatest, end - 1].sort((one, other) => one - other)));
  }
  return { x: Float64Array.from(places, (place) => x[place]), y: Float64Array.from(places, (place) => y[place]) };
}

for (const kind of kinds) {
  test(`${kind}: a sample of 150,000 iterations gives the curve of all of them`, () => {
    const whole = makeLoss(150_000);
    const smoothing = { kind, weight: 0.95 };
    const full = smooth(whole.x, whole.y, smoothing, 150_000);
    const chosen = sample(whole, 256);
    const places = pickUnbiased(chosen.x, 256);
    const x = Float64Array.from(places, (place) => chosen.x[place]);
    const curve = smooth(
      x,
      Float64Array.from(places, (place) => chosen.y[place]),
      smoothing,
      150_000,
    );
    const biased = smooth(chosen.x, chosen.y, smoothing, 150_000);
    let worst = 0;
    let worstBiased = 0;
    // The very beginning is not yet an average of much.
    for (let index = 0; index < x.length; index += 1)
      if (x[index] > 10_000) worst = Math.max(worst, Math.abs(curve[index] - full[x[index]]));
    chosen.x.forEach((at, index) => {
      if (at > 10_000) worstBiased = Math.max(worstBiased, Math.abs(biased[index] - full[at]));
    });
    assert.ok(worst < 0.25, `${worst}`);
    assert.ok(worstBiased > 2 * worst, `the least and the greatest points would pull: ${worstBiased}, ${worst}`);
  });

  test(`${kind}: twice as many points on the same line give the same curve`, () => {
    const line = (count) => Float64Array.from({ length: count }, (_, index) => index / (count - 1));
    const y = (x) => x.map((at) => Math.abs(at - 0.5));
    const [few, many] = [line(101), line(1001)];
    const smoothing = { kind, weight: 0.9 };
    const [one, other] = [few, many].map((x) => smooth(x, y(x), smoothing, 1));
    // The Gaussian is an approximation by three passes.
    const tolerance = kind === "gaussian" ? 0.004 : 1e-9;
    one.forEach((value, index) => assert.ok(Math.abs(value - other[index * 10]) < tolerance, `${index}`));
  });

  test(`${kind}: points far apart keep their values, and more so with less weight`, () => {
    const x = [200, 400, 600, 800, 1000];
    const y = [9.15, 8, 7, 6.2, 5.54];
    const errors = [0.001, 0.01, 0.5].map((weight) => {
      const smoothed = smooth(x, y, { kind, weight }, 2000);
      return Math.max(...smoothed.map((value, index) => Math.abs(value - y[index])));
    });
    assert.ok(errors[0] < 0.005 && errors[1] < 0.01 && errors[2] < 0.04, `${errors}`);
    assert.ok(errors[0] <= errors[1] && errors[1] <= errors[2], `${errors}`);
  });

  test(`${kind}: a constant stays, whatever the distances`, () => {
    const x = Float64Array.of(0, 1, 1, 5, 1000, 1001);
    assert.deepEqual(
      [
        ...smooth(
          x,
          x.map(() => 3),
          { kind, weight: 0.99 },
          1001,
        ),
      ].map((value) => value.toFixed(9)),
      Array(6).fill("3.000000000"),
    );
  });

  test(`${kind}: what is not finite stays a hole and spoils nothing`, () => {
    const smoothed = smooth([0, 1, 2, 3], [1, NaN, Infinity, 1], { kind, weight: 0.9 }, 3);
    assert.deepEqual([...smoothed], [1, NaN, NaN, 1]);
  });

  test(`${kind}: more weight smooths more`, () => {
    const { x, y } = makeLoss(2000);
    const roughness = (weight) =>
      smooth(x, y, { kind, weight }, 2000).reduce(
        (sum, value, index, all) => sum + (index ? Math.abs(value - all[index - 1]) : 0),
        0,
      );
    const found = [0.1, 0.5, 0.9, 0.99].map(roughness);
    found.slice(1).forEach((value, index) => assert.ok(value < found[index], `${found}`));
  });
}

test("no weight, no kind, too few points: the line itself", () => {
  const y = [3, 1, 2];
  assert.deepEqual([...smooth([0, 1, 2], y, { kind: "ema", weight: 0 }, 2)], y);
  assert.deepEqual([...smooth([0, 1, 2], y, { kind: "none", weight: 0.9 }, 2)], y);
  assert.deepEqual([...smooth([5], [7], { kind: "gaussian", weight: 0.9 }, 1)], [7]);
  assert.deepEqual([...smooth([], [], { kind: "average", weight: 0.9 }, 1)], []);
});

test("the time-weighted average weighs by distance: after its distance, 63 % of a step is followed", () => {
  const distance = distanceOf(0.9) * 1000;
  const x = Float64Array.from({ length: 100_001 }, (_, index) => index / 100);
  const smoothed = smooth(
    x,
    x.map((at) => (at < 500 ? 0 : 1)),
    { kind: "ema", weight: 0.9 },
    1000,
  );
  assert.ok(Math.abs(smoothed[Math.round((500 + distance) * 100)] - (1 - Math.exp(-1))) < 0.01);
});

test("of the buckets of a sample, the first and last points are unbiased; buckets that are whole are kept", () => {
  assert.deepEqual(pickUnbiased([0, 3, 5, 7, 8, 16, 17, 18, 19, 20, 21, 22], 8), [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(pickUnbiased([1, 2, 3], 0), [0, 1, 2]);
  assert.deepEqual(pickUnbiased([], 8), []);
  assert.deepEqual(pickUnbiased([-9, -8, -7, -1, 0], 8), [0, 1, 3, 4]);
});
