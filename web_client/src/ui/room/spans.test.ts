import { expect, test } from "vitest";
import { en } from "../../i18n/en";
import { zh } from "../../i18n/zh";
import { elapsedWords, spanWords } from "./spans";

test("elapsed time reads like a clock", () => {
  expect([0, 761.9, 3_599, 3_600, 90_061, -5].map(elapsedWords)).toEqual([
    "00:00:00",
    "00:12:41",
    "00:59:59",
    "01:00:00",
    "25:01:01",
    "00:00:00",
  ]);
});

test("a short while is told in seconds, a longer one in minutes", () => {
  expect(spanWords(8, en)).toBe("8 s");
  expect(spanWords(119, en)).toBe("119 s");
  expect(spanWords(200, en)).toBe("3 min");
  expect(spanWords(8, zh)).toBe("8 秒");
});
