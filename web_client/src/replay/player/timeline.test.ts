import { describe, expect, it } from "vitest";
import type { Segment } from "./plan";
import { openingUs, type Track } from "./timeline";

const track = (name: string, ...begins: number[]): Track => ({
  name,
  media: "video",
  feed: name,
  input: "device",
  generations: [],
  segments: begins.map((fromUs) => ({ fromUs, untilUs: fromUs + 1_000_000 }) as Segment),
});

describe("where a replay opens", () => {
  it("is when all feeds are there that begin together", () => {
    const tracks = [track("theatre", 6_555_455), track("ultrasound", 6_553_411, 9_000_000)];
    expect(openingUs({ tracks: [...tracks, track("monitor", 10_247_211)] })).toBe(6_555_455);
  });

  it("does not wait for what comes later, nor for what never comes", () => {
    expect(openingUs({ tracks: [track("a", 2_000_000), track("b", 3_000_001), track("c")] })).toBe(2_000_000);
    expect(openingUs({ tracks: [track("a")] })).toBe(0);
  });
});
