import { expect, test } from "vitest";
import { levelOf, meterPercent } from "./level";

test("the level of a tone is its amplitude and, by energy, 3 dB less", () => {
  const tone = Float32Array.from({ length: 480 }, (_, n) => 0.5 * Math.sin((2 * Math.PI * n) / 48));
  expect(levelOf(tone).peak).toBeCloseTo(0.5, 3);
  expect(levelOf(tone).rms).toBeCloseTo(0.5 / Math.SQRT2, 3);
});

test("nothing is silence", () => {
  expect(levelOf(new Float32Array())).toEqual({ rms: 0, peak: 0 });
});

test.each([
  [0, 0],
  [0.0001, 0],
  [0.001, 0],
  [0.0316, 50],
  [1, 100],
  [4, 100],
])("RMS %s stands at %s %% of the meter", (rms, percent) => {
  expect(meterPercent(rms)).toBe(percent);
});
