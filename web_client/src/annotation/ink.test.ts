import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { spots } from "./geometry";
import { inkOf } from "./ink";

/** Outlines for the Python pen. `UPDATE_VECTORS=1 npx vitest run src/annotation/ink.test.ts` makes them anew. */
const FILE = new URL("../../../tests/vectors/annotation/ink.json", import.meta.url);

interface Stroke {
  name: string;
  width: number;
  aspect: number;
  points: number[];
  pressures: number[];
  /** x, y, …, in heights of the picture. */
  outline: number[];
}

type Drawn = Omit<Stroke, "outline">;

const round = (value: number) => Math.round(value * 100_000) / 100_000;

/** A stroke of `count` points from 0 to 1. */
function line(
  name: string,
  count: number,
  at: (part: number) => [number, number],
  pressure: ((part: number) => number) | null = null,
  width = 0.006,
): Drawn {
  const parts = Array.from({ length: count }, (_, index) => (count === 1 ? 0 : index / (count - 1)));
  return {
    name,
    width,
    aspect: 16 / 9,
    points: parts.flatMap((part) => at(part).map(round)),
    pressures: pressure === null ? [] : parts.map((part) => round(pressure(part))),
  };
}

const across = (part: number): [number, number] => [0.2 + 0.6 * part, 0.5];
const wave = (part: number): [number, number] => [0.15 + 0.7 * part, 0.5 + 0.2 * Math.sin(6.28 * part)];
const eased = (part: number) => part * part * (3 - 2 * part);

const STROKES: readonly Drawn[] = [
  line("straight, pressed more and more", 60, across, (part) => part),
  line("straight, without pressures", 60, across),
  line("a wave, slow at its ends", 90, (part) => wave(eased(part))),
  line("a wave, pressed in the middle", 90, wave, (part) => Math.sin(3.14 * part)),
  line("few points far apart", 6, wave, (part) => 1 - part),
  line("wide ink", 80, wave, (part) => 0.3 + 0.6 * part, 0.03),
  line(
    "a dot",
    1,
    () => [0.4, 0.4],
    () => 0.7,
  ),
  line("a dot without pressure", 1, () => [0.4, 0.4]),
  line("two points", 2, across, (part) => 0.2 + 0.6 * part),
  line(
    "there and back",
    41,
    (part) => [0.2 + 0.6 * (1 - Math.abs(2 * part - 1)), 0.4 + 0.1 * part],
    () => 0.5,
  ),
  line("a ring that crosses itself", 100, (part) => [
    0.5 + 0.15 * Math.cos(7.5 * part),
    0.5 + 0.25 * Math.sin(7.5 * part),
  ]),
];

const outlined = (stroke: Drawn): Stroke => ({
  ...stroke,
  outline: inkOf(stroke, spots(stroke.points, stroke.aspect)).flatMap(({ x, y }) => [round(x), round(y)]),
});

test("the outlines that the Python pen is compared with are those of this one", () => {
  const made = STROKES.map(outlined);
  if (process.env["UPDATE_VECTORS"] === "1") {
    writeFileSync(FILE, `[\n${made.map((stroke) => JSON.stringify(stroke)).join(",\n")}\n]\n`);
  }
  expect(JSON.parse(readFileSync(FILE, "utf8"))).toEqual(made);
});

test("ink swells with the pressure", () => {
  const thickness = (pressure: number) => {
    const stroke = line("", 40, across, () => pressure);
    const ys = inkOf(stroke, spots(stroke.points, stroke.aspect)).map(({ y }) => y);
    return Math.max(...ys) - Math.min(...ys);
  };
  expect(thickness(1)).toBeGreaterThan(2 * thickness(0.2));
});
