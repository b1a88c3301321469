import { expect, test } from "vitest";
import { SteadySpeech } from "./speaking";

test("a breath does not end a speech, silence does", () => {
  const speech = new SteadySpeech();
  expect(speech.update(false, 0)).toBe(false);
  expect(speech.update(true, 500)).toBe(true);
  expect(speech.update(false, 1_000)).toBe(true);
  expect(speech.update(false, 1_500)).toBe(true);
  expect(speech.update(false, 2_000)).toBe(false);
});
