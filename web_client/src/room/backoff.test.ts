import { expect, test } from "vitest";
import { backoffMs } from "./backoff";

test("waiting doubles from 0.2 s and ends at 5 s", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 60].map((attempt) => backoffMs(attempt, 1));
  expect(longest).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test("chance takes away up to half, so that clients do not return together", () => {
  expect(backoffMs(3, 0)).toBe(800);
  expect(backoffMs(3, 0.5)).toBe(1200);
});
