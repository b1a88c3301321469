import { describe, expect, test } from "vitest";
import { FrameMeter } from "./frameMeter";

function play(meter: FrameMeter, fromMs: number, frames: number, ageMs: number | null, everyMs = 33): number {
  for (let n = 0; n < frames; n += 1) meter.frameShown(fromMs + n * everyMs, ageMs);
  return fromMs + (frames - 1) * everyMs;
}

describe("age", () => {
  test("is unknown before the first frame, and without capture times", () => {
    const meter = new FrameMeter();
    expect(meter.ageMs(0)).toBeNull();
    play(meter, 0, 5, null);
    expect(meter.ageMs(200)).toBeNull();
  });

  test("is the median of the last second", () => {
    const meter = new FrameMeter();
    meter.framesDecoded(0, 0);
    meter.framesDecoded(1_000, 30);
    play(meter, 0, 10, 500);
    const last = play(meter, 5_000, 30, 80);
    meter.frameShown(last + 33, 250);
    expect(meter.ageMs(last + 40)).toBe(80);
  });

  test("grows by itself as soon as the picture stops", () => {
    const meter = new FrameMeter();
    meter.framesDecoded(0, 0);
    meter.framesDecoded(1_000, 30);
    const last = play(meter, 0, 30, 80);
    expect(meter.ageMs(last + 500)).toBe(580);
  });
});

describe("frames per second", () => {
  test("come from the decoder's counter over two seconds", () => {
    const meter = new FrameMeter();
    expect(meter.framesPerSecond).toBeNull();
    for (let n = 0; n <= 10; n += 1) meter.framesDecoded(n * 500, n * 15);
    expect(meter.framesPerSecond).toBe(30);
  });

  test("sink to zero within two seconds when nothing more comes", () => {
    const meter = new FrameMeter();
    for (let n = 0; n <= 4; n += 1) meter.framesDecoded(n * 500, n * 15);
    for (let n = 5; n <= 9; n += 1) meter.framesDecoded(n * 500, 60);
    expect(meter.framesPerSecond).toBe(0);
  });

  test("start over when the counter does, on a new connection", () => {
    const meter = new FrameMeter();
    meter.framesDecoded(0, 900);
    meter.framesDecoded(500, 915);
    meter.framesDecoded(1_000, 3);
    meter.framesDecoded(1_500, 18);
    expect(meter.framesPerSecond).toBe(30);
  });
});

test("a hidden page that decodes counts as alive", () => {
  const meter = new FrameMeter();
  meter.framesDecoded(0, 10);
  expect(meter.lastFrameMs).toBeNull();
  meter.framesDecoded(500, 25);
  expect(meter.lastFrameMs).toBe(500);
  meter.framesDecoded(1_000, 25);
  expect(meter.lastFrameMs).toBe(500);
});

test("the longest gap between two frames is remembered", () => {
  const meter = new FrameMeter();
  play(meter, 0, 2, null);
  meter.frameShown(433, null);
  meter.frameShown(466, null);
  expect(meter.longestGapMs).toBe(400);
});
