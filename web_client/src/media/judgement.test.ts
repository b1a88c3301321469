import { describe, expect, test } from "vitest";
import { judge, SteadyJudgement, type Judgement, type Measured } from "./judgement";

const LIMITS = { good_delay_ms: 200, fair_delay_ms: 300, good_frame_rate: 24, fair_frame_rate: 15 };

test.each<[Judgement, number | null, number | null, number]>([
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
  ["good", 83, null, 0],
  ["poor", 400, null, 0],
])("%s: %s ms old, %s frames/s, %s lost", (expected, ageMs, framesPerSecond, lossShare) => {
  expect(judge({ ageMs, framesPerSecond, lossShare }, LIMITS)).toBe(expected);
});

test("a picture that was made smaller on its way is never called good", () => {
  const measured = { ageMs: 83, framesPerSecond: 30, lossShare: 0 };
  expect(judge({ ...measured, lowered: true }, LIMITS)).toBe("fair");
  expect(judge({ ...measured, lowered: false }, LIMITS)).toBe("good");
  expect(judge({ ...measured, ageMs: 400, lowered: true }, LIMITS)).toBe("poor");
});

test("the service's configuration decides, not a constant of ours", () => {
  const measured = { ageMs: 90, framesPerSecond: 30, lossShare: 0 };
  const strict = { good_delay_ms: 50, fair_delay_ms: 80, good_frame_rate: 50, fair_frame_rate: 25 };
  expect(judge(measured, LIMITS)).toBe("good");
  expect(judge(measured, strict)).toBe("poor");
});

describe("the word that is shown", () => {
  const aged = (ageMs: number): Measured => ({ ageMs, framesPerSecond: 30, lossShare: 0 });
  const watch = (steady = new SteadyJudgement()) => ({
    see: (ageMs: number, nowMs: number) => steady.update(aged(ageMs), LIMITS, nowMs),
  });

  test("gets worse when that has lasted a second", () => {
    const { see } = watch();
    expect(see(80, 0)).toBe("good");
    expect(see(400, 500)).toBe("good");
    expect(see(80, 900)).toBe("good");
    expect(see(400, 1_000)).toBe("good");
    expect(see(400, 1_900)).toBe("good");
    expect(see(400, 2_000)).toBe("poor");
  });

  test("counts worse and much worse as one decline", () => {
    const { see } = watch();
    see(80, 0);
    see(250, 100);
    see(400, 600);
    expect(see(400, 1_100)).toBe("poor");
  });

  test("gets better only after three good seconds", () => {
    const { see } = watch();
    expect(see(250, 0)).toBe("fair");
    see(80, 100);
    expect(see(80, 3_000)).toBe("fair");
    expect(see(80, 3_100)).toBe("good");
  });

  test("stays with a picture that hovers about the limit", () => {
    const { see } = watch();
    expect(see(205, 0)).toBe("fair");
    for (let nowMs = 250; nowMs < 20_000; nowMs += 250) expect(see(195, nowMs)).toBe("fair");
  });
});
