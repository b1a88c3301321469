import { describe, expect, it } from "vitest";
import { firstInPause, undeclaredHoles } from "./continuity";
import type { Entry } from "./entries";

const S = 1_000_000;
let entry = 0;
const piece = (begin: number, end: number, track = "t") =>
  ({
    kind: "piece",
    entry: (entry += 1),
    track,
    begin_us: begin * S,
    end_us: end * S,
    uncertainty_us: 0,
  }) as unknown as Entry;
const gap = (begin: number, end: number, reason = "packet_loss", track: string | null = "t") =>
  ({
    kind: "gap",
    entry: (entry += 1),
    track,
    begin_us: begin * S,
    end_us: end * S,
    reason,
  }) as unknown as Entry;

describe("what is missing", () => {
  it("is a hole when no gap says why, named by the piece after it", () => {
    const after = piece(5, 6);
    const [hole, ...more] = undeclaredHoles([piece(0, 1), piece(1, 2), after]);
    expect(hole).toEqual({ track: "t", beginUs: 2 * S, endUs: 5 * S, entry: after.entry });
    expect(more).toEqual([]);
  });

  it("is none when gaps of the track, or of all tracks, cover it together, or it is short", () => {
    const pieces = [piece(0, 1), piece(5, 6), piece(7.4, 8)];
    expect(undeclaredHoles([...pieces, gap(1, 3), gap(2.5, 4.9, "disk", null)])).toEqual([]);
    expect(undeclaredHoles([...pieces, gap(1, 3), gap(2, 5, "disk", "another")])).toHaveLength(1);
  });
});

describe("a privacy pause", () => {
  it("has no piece of its track in it, but for the rounding of times", () => {
    const inside = piece(3, 4);
    expect(firstInPause([piece(0, 2.0005), gap(2, 5, "privacy_pause"), piece(5, 6)])).toBeNull();
    expect(firstInPause([gap(2, 5, "privacy_pause", null), inside])).toBe(inside);
    expect(firstInPause([gap(2, 5, "privacy_pause", "another"), inside])).toBeNull();
    expect(firstInPause([gap(2, 5, "disk"), inside])).toBeNull();
  });
});
