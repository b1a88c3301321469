import { expect, test } from "vitest";
import { judge, SteadyJudgement, type Judgement } from "./judgement";

test.each<[Judgement, number | null, number, number]>([
  ["good", 83, 30, 0],
  ["good", 200, 24, 0.01],
  ["good", 120, 23.6, 0],
  ["fair", 201, 30, 0],
  ["fair", 83, 23, 0],
  ["fair", 83, 30, 0.02],
  ["fair", 300, 15, 0.05],
  ["poor", 301, 30, 0],
  ["poor", 83, 14, 0],
  ["poor", 83, 30, 0.06],
  ["good", null, 30, 0],
])("%s: %s ms old, %s frames/s, %s lost", (expected, ageMs, framesPerSecond, lossShare) => {
  expect(judge({ ageMs, framesPerSecond, lossShare })).toBe(expected);
});

test("a word changes only when the new one has stood for a second", () => {
  const steady = new SteadyJudgement();
  expect(steady.update("good", 0)).toBe("good");
  expect(steady.update("poor", 500)).toBe("good");
  expect(steady.update("good", 900)).toBe("good");
  expect(steady.update("poor", 1_000)).toBe("good");
  expect(steady.update("poor", 1_900)).toBe("good");
  expect(steady.update("poor", 2_000)).toBe("poor");
});
