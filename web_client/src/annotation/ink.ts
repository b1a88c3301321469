import { getStroke } from "perfect-freehand";
import type { Mark } from "../protocol/messages";
import type { Spot } from "./geometry";

/** The library thinks in pixels; so many of them make a picture's height. */
const UNITS = 1000;

/**
 * Pure: the outline of a pen's ink, in heights of the picture: thin where the pen went fast, or where it was pressed
 * little. `annotation/ink.py` is the same pen; both are run on `tests/vectors/annotation/ink.json`.
 */
export function inkOf(
  { width, pressures }: Pick<Mark, "width" | "pressures">,
  places: readonly Spot[],
): Spot[] {
  const real = pressures.length > 0;
  const input = places.map(({ x, y }, at) => [x * UNITS, y * UNITS, pressures[at] ?? 0.5]);
  const ink = getStroke(input, {
    size: width * UNITS * (real ? 1.6 : 1.2),
    thinning: real ? 0.6 : 0.25,
    smoothing: 0.5,
    streamline: 0.25,
    simulatePressure: !real,
  });
  return ink.map(([x, y]) => ({ x: x / UNITS, y: y / UNITS }));
}
