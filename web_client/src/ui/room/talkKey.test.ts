import { expect, test } from "vitest";
import { TalkKey } from "./talkKey";

/** Presses for `ms`; returns whether the microphone is open while the key is down and afterwards. */
function press(open: boolean, ms: number): { during: boolean; after: boolean } {
  const key = new TalkKey();
  const during = open || key.pressed(open, 1_000);
  if (open) key.pressed(open, 1_000);
  return { during, after: key.released(1_000 + ms) ? false : during };
}

test("held, it opens the microphone for as long", () => {
  expect(press(false, 2_000)).toEqual({ during: true, after: false });
});

test("tapped, it opens the microphone to stay", () => {
  expect(press(false, 100)).toEqual({ during: true, after: true });
});

test("tapped again, it closes it", () => {
  expect(press(true, 100)).toEqual({ during: true, after: false });
});

test("held while the microphone is open, it changes nothing", () => {
  expect(press(true, 2_000)).toEqual({ during: true, after: true });
});

test("a release without a press does nothing", () => {
  expect(new TalkKey().released(50)).toBe(false);
});

test("for those who talk by holding only, a tap never leaves the microphone open", () => {
  const key = new TalkKey();
  expect(key.pressed(false, 1_000)).toBe(true);
  expect(key.released(1_050, true)).toBe(true);
  key.pressed(true, 2_000);
  expect(key.released(4_000, true)).toBe(true);
  expect(key.released(4_001, true)).toBe(false);
});
