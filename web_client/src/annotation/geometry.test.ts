import { expect, test } from "vitest";
import { bounded, toPicture, toScreen, zoomedAt, type Frame } from "../ui/room/zoom";
import { arrowLines, distance, opacityOf, rounded, rulerMm, rulerTicks, scaleOf } from "./geometry";

const WHOLE = { factor: 1, centre: { x: 0.5, y: 0.5 } };
const PICTURES = [
  { width: 1920, height: 1080 },
  { width: 640, height: 480 },
  { width: 320, height: 240 },
];
const BOXES = [
  { width: 800, height: 450 },
  { width: 360, height: 640 },
  { width: 3840, height: 2160 },
];

test("a place stays on the same piece of the picture in any box, at any zoom and resolution", () => {
  for (const picture of PICTURES) {
    for (const box of BOXES) {
      const frame: Frame = { box, picture };
      const middle = { x: box.width / 2, y: box.height / 2 };
      for (const factor of [1, 2.5, 8]) {
        const zoom = bounded(zoomedAt(WHOLE, frame, factor, middle), frame);
        const shown = toScreen({ x: 0.31, y: 0.62 }, zoom, frame);
        const back = toPicture(shown, zoom, frame);
        expect(back.x).toBeCloseTo(0.31, 6);
        expect(back.y).toBeCloseTo(0.62, 6);
      }
    }
  }
});

test("letterboxing counts: the picture's corners are not the box's", () => {
  const frame: Frame = { box: { width: 1000, height: 1000 }, picture: { width: 1920, height: 1080 } };
  const corner = toScreen({ x: 0, y: 0 }, WHOLE, frame);
  expect(corner.x).toBeCloseTo(0, 6);
  expect(corner.y).toBeCloseTo(218.75, 6);
  expect(toPicture({ x: 500, y: 100 }, WHOLE, frame).y).toBeLessThan(0);
});

test("a source that changes its resolution, not its shape, moves nothing", () => {
  const box = { width: 777, height: 555 };
  const spots = [
    { width: 1920, height: 1080 },
    { width: 640, height: 360 },
  ].map((picture) => toScreen({ x: 0.2, y: 0.9 }, WHOLE, { box, picture }));
  expect(spots[0]?.x).toBeCloseTo(spots[1]?.x ?? Number.NaN, 9);
  expect(spots[0]?.y).toBeCloseTo(spots[1]?.y ?? Number.NaN, 9);
});

test("what fades does so at the end of its life, what stays does not", () => {
  const mark = { fade_after_ms: 8_000, changed_us: 1_000_000 };
  const at = (ms: number) => opacityOf(mark, 1_000_000 + ms * 1000);
  expect([at(0), at(7_000), at(7_500), at(8_000), at(99_000)]).toEqual([1, 1, 0.5, 0, 0]);
  expect(opacityOf({ ...mark, fade_after_ms: null }, 9e15)).toBe(1);
});

test("a ruler says millimetres by the scale it was drawn with, at a slant too", () => {
  const scale = scaleOf([0.1, 0.1, 0.1, 0.6], 50, 4 / 3);
  expect(scale).toEqual({ mm_per_height: 100, aspect: 4 / 3 });
  expect(rulerMm({ points: [0, 0, 0.3, 0.3], scale })).toBeCloseTo(50, 6);
  expect(rulerMm({ points: [0, 0, 0.3, 0.3], scale: null })).toBeNull();
});

test.each([
  [[0.1, 0.1, 0.1, 0.1], 50],
  [[0.1, 0.1, 0.5, 0.5], 0],
  [[0.1, 0.1, 0.5, 0.5], Number.NaN],
])("no scale comes of %j being %d mm", (points, mm) => {
  expect(scaleOf(points, mm, 1.5)).toBeNull();
});

test("an arrow's barbs end in its tip and are never longer than the arrow", () => {
  const [from, tip] = [
    { x: 0.1, y: 0.1 },
    { x: 0.12, y: 0.1 },
  ];
  const [, ...barbs] = arrowLines(from, tip, 0.006);
  expect(barbs).toHaveLength(2);
  for (const [end, to] of barbs) {
    expect(to).toBe(tip);
    expect(distance(end, tip)).toBeLessThan(distance(from, tip));
  }
  expect(arrowLines(tip, tip, 0.006)).toEqual([]);
  expect(rulerTicks(tip, tip, 0.006)).toEqual([]);
});

test("places travel inside the picture and without needless digits", () => {
  expect([rounded(-0.2), rounded(1.7), rounded(0.123456789)]).toEqual([0, 1, 0.12346]);
});
