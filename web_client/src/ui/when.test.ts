import { expect, test } from "vitest";
import { en } from "../i18n/en";
import { zh } from "../i18n/zh";
import { clockTime, duration } from "./when";

const at = (text: string) => new Date(text).getTime();

test("today's times need no date, others have one", () => {
  const now = at("2026-11-21T23:30:00");
  const time = at("2026-11-21T09:05:00") * 1000;
  expect(clockTime(time, "en", now)).toMatch(/^9:05.AM$/);
  expect(clockTime(time, "zh-CN", now)).toBe("09:05");
  expect(clockTime(time, "en", at("2026-11-22T00:10:00"))).toMatch(/^Nov 21, 2026, 9:05.AM$/);
});

test.each([
  [0, "0 min", "0 分钟"],
  [59, "59 min", "59 分钟"],
  [99, "1 h 39 min", "1 小时 39 分钟"],
  [11 * 60, "11 h", "11 小时"],
  [3 * 24 * 60, "3 days", "3 天"],
])("%i minutes", (minutes, english, chinese) => {
  expect(duration(0, minutes * 60_000_000, en.time)).toBe(english);
  expect(duration(0, minutes * 60_000_000, zh.time)).toBe(chinese);
});

test("a clock that is a little ahead does not make negative times", () => {
  expect(duration(5_000_000, 0, en.time)).toBe("0 min");
});
