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
  clock.pong(100, 500, SERVER_US + 400_000);
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

test("minutes go on being counted while the connection is away, frames are not dated then", () => {
  const clock = new ClockSync();
  expect(clock.roughServerTimeUs(0)).toBeNull();
  clock.pong(0, 10, 1_005_000);
  clock.reset();
  expect(clock.serverTimeUs(10)).toBeNull();
  expect(clock.roughServerTimeUs(10)).toBe(1_010_000);
});

test("a machine that slept without losing the connection dates frames right after the first ping", () => {
  const clock = new ClockSync();
  clock.pong(0, 4, SERVER_US);
  // Ten seconds passed that this machine's clock did not count.
  clock.pong(5_000, 5_030, SERVER_US + 15_013_000);
  expect(clock.serverTimeUs(5_015)).toBe(SERVER_US + 15_013_000);
});

test("a slow round trip that agrees with a quick one does not overrule it", () => {
  const clock = new ClockSync();
  clock.pong(0, 4, SERVER_US);
  clock.pong(5_000, 5_300, SERVER_US + 5_290_000);
  expect(clock.best?.rttMs).toBe(4);
});
