import { expect, test } from "vitest";
import { ClockSync } from "./clockSync";

const SERVER_US = 1_795_000_000_000_000;

test("nothing is claimed before the server has spoken", () => {
  expect(new ClockSync().serverTimeUs(100)).toBeNull();
});

test("the welcome gives a first idea, the first ping a better one", () => {
  const clock = new ClockSync();
  clock.seed(1_000, SERVER_US);
  expect(clock.serverTimeUs(1_500)).toBe(SERVER_US + 500_000);
  clock.pong(2_000, 2_040, SERVER_US + 1_030_000);
  // The server read its clock in the middle of the round trip.
  expect(clock.serverTimeUs(2_020)).toBe(SERVER_US + 1_030_000);
});

test("the quickest of the last eight round trips counts", () => {
  const clock = new ClockSync();
  clock.pong(0, 10, SERVER_US);
  clock.pong(100, 500, SERVER_US + 999_000);
  expect(clock.best?.rttMs).toBe(10);
  for (let n = 0; n < 8; n += 1) clock.pong(1_000, 1_050, SERVER_US + 2_000_000);
  expect(clock.best?.rttMs).toBe(50);
});

test("a later welcome does not overrule what was measured", () => {
  const clock = new ClockSync();
  clock.pong(0, 10, SERVER_US);
  clock.seed(0, SERVER_US + 777);
  expect(clock.serverTimeUs(5)).toBe(SERVER_US);
});

test("after a break all is measured anew", () => {
  const clock = new ClockSync();
  clock.pong(0, 10, SERVER_US);
  clock.reset();
  expect(clock.serverTimeUs(5)).toBeNull();
});
