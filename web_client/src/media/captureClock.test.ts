import { expect, test } from "vitest";
import { captureTimeUs, type ClockMapping } from "./captureClock";

const mapping = (rtp_timestamp: number): ClockMapping => ({
  rtp_timestamp,
  clock_rate: 90_000,
  capture_time_us: 1_795_000_000_000_000,
});

test("one second is clock-rate ticks", () => {
  expect(captureTimeUs(mapping(5_000), 95_000)).toBe(1_795_000_001_000_000);
});

test("time goes on where the RTP timestamp wraps", () => {
  expect(captureTimeUs(mapping(2 ** 32 - 45_000), 45_000)).toBe(1_795_000_001_000_000);
});

test("a frame from just before the mapping lies before it, across the wrap too", () => {
  expect(captureTimeUs(mapping(95_000), 5_000)).toBe(1_794_999_999_000_000);
  expect(captureTimeUs(mapping(45_000), 2 ** 32 - 45_000)).toBe(1_794_999_999_000_000);
});
