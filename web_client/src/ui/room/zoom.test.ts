import { describe, expect, test } from "vitest";
import {
  bounded,
  fitted,
  isWhole,
  MAX_FACTOR,
  panned,
  pinched,
  placed,
  STEP,
  toPicture,
  toScreen,
  transformOf,
  wheelFactor,
  WHOLE,
  zoomedAt,
  type Frame,
  type Point,
  type Zoom,
} from "./zoom";

const WIDE: Frame = { box: { width: 1000, height: 500 }, picture: { width: 1920, height: 1080 } };
const SQUARE: Frame = { box: { width: 1000, height: 500 }, picture: { width: 800, height: 800 } };
const TALL_BOX: Frame = { box: { width: 300, height: 600 }, picture: { width: 1920, height: 1080 } };
const FRAMES = [WIDE, SQUARE, TALL_BOX];

const near = (actual: Point, expected: Point) => {
  expect(actual.x).toBeCloseTo(expected.x, 6);
  expect(actual.y).toBeCloseTo(expected.y, 6);
};

/** Pseudo-random, the same every time. */
function* numbers(seed = 1): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

test("the whole picture is as large as fits, in the middle", () => {
  expect(fitted(SQUARE)).toEqual({ width: 500, height: 500 });
  expect(placed(WHOLE, SQUARE)).toEqual({ x: 250, y: 0, width: 500, height: 500 });
  expect(placed(WHOLE, TALL_BOX)).toEqual({ x: 0, y: 215.625, width: 300, height: 168.75 });
});

test("corners of the picture are 0 and 1, wherever they are shown", () => {
  near(toPicture({ x: 250, y: 0 }, WHOLE, SQUARE), { x: 0, y: 0 });
  near(toPicture({ x: 750, y: 500 }, WHOLE, SQUARE), { x: 1, y: 1 });
  near(toPicture({ x: 0, y: 250 }, WHOLE, SQUARE), { x: -0.5, y: 0.5 });
});

test("screen to picture and back is the same point, in any view", () => {
  const random = numbers();
  for (let n = 0; n < 300; n += 1) {
    const frame = FRAMES[n % 3] ?? WIDE;
    const centre = { x: random.next().value, y: random.next().value };
    const zoom = bounded({ factor: 1 + random.next().value * 7, centre }, frame);
    const point = {
      x: random.next().value * frame.box.width,
      y: random.next().value * frame.box.height,
    };
    near(toScreen(toPicture(point, zoom, frame), zoom, frame), point);
  }
});

describe("zooming", () => {
  test("keeps what is under the pointer there", () => {
    const anchor = { x: 600, y: 220 };
    const before = toPicture(anchor, WHOLE, WIDE);
    const zoom = zoomedAt(WHOLE, WIDE, 3, anchor);
    near(toPicture(anchor, zoom, WIDE), before);
    expect(zoom.factor).toBe(3);
  });

  test("ends at the whole picture and at the limit", () => {
    expect(zoomedAt(WHOLE, WIDE, 0.2, { x: 5, y: 5 })).toEqual(WHOLE);
    expect(zoomedAt(WHOLE, WIDE, 100, { x: 500, y: 250 }).factor).toBe(MAX_FACTOR);
  });

  test("out again always comes back to the whole picture", () => {
    let zoom: Zoom = zoomedAt(WHOLE, WIDE, 5, { x: 900, y: 20 });
    while (!isWhole(zoom)) zoom = zoomedAt(zoom, WIDE, zoom.factor / STEP, { x: 100, y: 400 });
    expect(zoom).toEqual(WHOLE);
  });
});

describe("moving", () => {
  test("follows the hand", () => {
    const zoom = zoomedAt(WHOLE, WIDE, 4, { x: 500, y: 250 });
    const place = toPicture({ x: 500, y: 250 }, zoom, WIDE);
    near(toScreen(place, panned(zoom, WIDE, { x: 40, y: -30 }), WIDE), { x: 540, y: 220 });
  });

  test("the picture's edge never comes further in than the box's", () => {
    const random = numbers(7);
    for (const frame of FRAMES) {
      let zoom = zoomedAt(WHOLE, frame, 3, { x: 10, y: 10 });
      for (let n = 0; n < 200; n += 1) {
        const by = { x: (random.next().value - 0.5) * 900, y: (random.next().value - 0.5) * 900 };
        zoom = panned(zoom, frame, by);
        const rect = placed(zoom, frame);
        if (rect.width >= frame.box.width) {
          expect(rect.x).toBeLessThanOrEqual(0.001);
          expect(rect.x + rect.width).toBeGreaterThanOrEqual(frame.box.width - 0.001);
        } else expect(rect.x + rect.width / 2).toBeCloseTo(frame.box.width / 2);
        if (rect.height >= frame.box.height) {
          expect(rect.y).toBeLessThanOrEqual(0.001);
          expect(rect.y + rect.height).toBeGreaterThanOrEqual(frame.box.height - 0.001);
        } else expect(rect.y + rect.height / 2).toBeCloseTo(frame.box.height / 2);
      }
    }
  });

  test("a whole picture does not move", () => {
    expect(panned(WHOLE, WIDE, { x: 200, y: 100 })).toEqual(WHOLE);
  });
});

test("two fingers keep what they hold", () => {
  const from: [Point, Point] = [
    { x: 450, y: 200 },
    { x: 550, y: 300 },
  ];
  const to: [Point, Point] = [
    { x: 400, y: 180 },
    { x: 600, y: 380 },
  ];
  const zoom = pinched(WHOLE, WIDE, from, to);
  expect(zoom.factor).toBeCloseTo(2);
  near(toScreen(toPicture(from[0], WHOLE, WIDE), zoom, WIDE), to[0]);
  near(toScreen(toPicture(from[1], WHOLE, WIDE), zoom, WIDE), to[1]);
});

test("the style puts each place of the picture where toScreen says", () => {
  const zoom = zoomedAt(WHOLE, SQUARE, 2.5, { x: 700, y: 100 });
  const [, left, top, scale] = (
    /translate\((.+)px, (.+)px\) scale\((.+)\)/.exec(transformOf(zoom, SQUARE)) ?? []
  ).map(Number);
  const unzoomed = toScreen({ x: 0.3, y: 0.8 }, WHOLE, SQUARE);
  const shown = toScreen({ x: 0.3, y: 0.8 }, zoom, SQUARE);
  expect((left ?? 0) + unzoomed.x * (scale ?? 0)).toBeCloseTo(shown.x, 1);
  expect((top ?? 0) + unzoomed.y * (scale ?? 0)).toBeCloseTo(shown.y, 1);
  expect(transformOf(WHOLE, SQUARE)).toBe("translate(0.00px, 0.00px) scale(1.0000)");
});

test("a resized window keeps the same place in the middle, and a box without size breaks nothing", () => {
  const zoom = zoomedAt(WHOLE, WIDE, 4, { x: 300, y: 200 });
  near(toPicture({ x: 300, y: 200 }, zoom, { ...WIDE, box: { width: 600, height: 400 } }), zoom.centre);
  const nothing: Frame = { box: { width: 0, height: 0 }, picture: { width: 0, height: 0 } };
  expect(
    Number.isFinite(toPicture({ x: 1, y: 1 }, zoomedAt(WHOLE, nothing, 2, { x: 0, y: 0 }), nothing).x),
  ).toBe(true);
});

test("a notch of the wheel is about a step, and turning back undoes it", () => {
  expect(wheelFactor(-100)).toBeCloseTo(STEP, 2);
  expect(wheelFactor(100) * wheelFactor(-100)).toBeCloseTo(1);
  expect(wheelFactor(-100_000)).toBeLessThan(2);
});
