import { expect, test } from "vitest";
import { wallColumns } from "./arrangement";

test.each([
  [1, 1440, 800, 1],
  [2, 1440, 800, 2],
  [3, 1440, 800, 2],
  [4, 1440, 800, 2],
  [5, 1440, 800, 3],
  [9, 3840, 2000, 3],
  [16, 3840, 2000, 4],
])("%i pictures in %i × %i stand in %i columns", (count, width, height, columns) => {
  expect(wallColumns(count, width, height, 40)).toBe(columns);
});

test("on a phone held upright they stand below one another", () => {
  expect(wallColumns(3, 390, 700, 40)).toBe(1);
});

test("no size at all still gives a column", () => {
  expect(wallColumns(4, 0, 0, 40)).toBeGreaterThanOrEqual(1);
});
