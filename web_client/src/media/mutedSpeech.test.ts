import { beforeEach, expect, test } from "vitest";
import type { Level } from "./level";
import { MutedSpeech } from "./mutedSpeech";

const STEP_MS = 50;
let detector: MutedSpeech;
let nowMs: number;

beforeEach(() => {
  detector = new MutedSpeech();
  nowMs = 1_000;
});

type Sound = (atMs: number) => Level | null;

/** Plays a sound; returns for how long there was a warning. */
function hear(sound: Sound, forMs: number, muted = true): number {
  let warnedMs = 0;
  for (const until = nowMs + forMs; nowMs < until; nowMs += STEP_MS) {
    if (detector.update(sound(nowMs), muted, nowMs)) warnedMs += STEP_MS;
  }
  return warnedMs;
}

const noise = (rms: number): Level => ({ rms, peak: 3 * rms });
const tone = (rms: number): Level => ({ rms, peak: 1.42 * rms });
const silence: Sound = () => noise(0.0005);
/** Four syllables a second, 12 dB up and down, with a breath every three seconds. */
const speech: Sound = (atMs) =>
  noise(atMs % 3_000 < 400 ? 0.001 : 0.02 + 0.06 * Math.max(0, Math.sin((atMs / 250) * 2 * Math.PI)));
const suction: Sound = (atMs) => noise(0.1 + 0.01 * Math.sin(atMs));
/** A heart at 120 beats a minute. */
const beeps: Sound = (atMs) => (atMs % 500 < 100 ? tone(0.2) : noise(0.001));
const cough: Sound = (atMs) => noise(atMs % 5_000 < 500 ? 0.3 : 0.001);

test("speech into a muted microphone is noticed within three seconds", () => {
  expect(hear(speech, 3_000)).toBeGreaterThan(0);
});

test("quiet people are not bothered", () => {
  expect(hear(silence, 60_000)).toBe(0);
});

test.each([
  ["a cough every five seconds", cough],
  ["a monitor's beeps", beeps],
  ["suction", suction],
])("%s: no warning", (_, sound) => {
  expect(hear(silence, 2_000) + hear(sound, 60_000)).toBe(0);
});

test("speech that is not muted needs no warning", () => {
  expect(hear(speech, 20_000, false)).toBe(0);
});

test("unmuting ends the warning at once", () => {
  hear(speech, 5_000);
  expect(detector.update(noise(0.05), false, nowMs)).toBe(false);
  expect(detector.update(noise(0.05), true, nowMs + STEP_MS)).toBe(false);
});

test("the warning does not flicker between sentences, and goes after some silence", () => {
  hear(speech, 5_000);
  expect(hear(silence, 2_000)).toBe(2_000);
  hear(silence, 8_000);
  expect(hear(silence, 1_000)).toBe(0);
});

test("what cannot be told to be the person's own voice does not count", () => {
  expect(hear(() => null, 20_000)).toBe(0);
});

test("a tab in the background, where readings are a second apart, warns of nothing by a single one", () => {
  for (let second = 0; second < 3; second += 1) {
    expect(detector.update(noise(second === 2 ? 0.3 : 0.001), true, second * 1_000)).toBe(false);
  }
});
