import { describe, expect, it } from "vitest";
import type { GapEntry, PieceEntry } from "../format/entries";
import { aim, evictTo, NOTHING, wantsMore } from "./buffer";
import { ReplayClock } from "./clock";
import { decodeFrom, frameUs, planSegments, segmentAt } from "./plan";
import { correct } from "./sync";
import { gapAt, laneOf, voiceLanes, type Track } from "./timeline";

const S = 1_000_000;

interface Wish {
  generation?: number;
  sync?: boolean;
  source?: "live" | "backfill";
}

function pieceAt(beginS: number, endS: number, { generation = 0, sync = true, source = "live" }: Wish = {}) {
  return {
    kind: "piece",
    track: "t",
    generation,
    number: 1,
    object: `${source}-${generation}-${beginS}`,
    sha256: "",
    size: 1,
    begin_us: beginS * S,
    end_us: endS * S,
    frames: 30,
    sync,
    source,
    clock: "capture",
    uncertainty_us: 0,
  } as unknown as PieceEntry;
}

const seconds = (from: number, to: number, wish: Wish & { every?: number } = {}) =>
  Array.from({ length: to - from }, (_, index) =>
    pieceAt(from + index, from + index + 1, { ...wish, sync: index % (wish.every ?? 1) === 0 }),
  );

describe("the order in which pieces are played", () => {
  it("prefers live pieces, and fills holes with what was delivered later", () => {
    const later = seconds(0, 10, { generation: 1, source: "backfill" });
    const planned = planSegments([...seconds(0, 3), ...seconds(6, 10, { generation: 2 }), ...later]);
    const shown = (atS: number) => planned[segmentAt(planned, atS * S)]?.object;
    expect(shown(2.5)).toBe("live-0-2");
    expect(shown(3.5)).toBe("backfill-1-3");
    expect(shown(5.9)).toBe("backfill-1-5");
    expect(shown(6.1)).toBe("live-2-6");
  });

  it("begins what fills a hole where it can be decoded, and ends it where live pieces go on", () => {
    const later = seconds(0, 10, { generation: 1, source: "backfill", every: 4 });
    const planned = planSegments([pieceAt(0, 5.5), pieceAt(7.5, 9, { generation: 2 }), ...later]);
    const filling = planned.filter((segment) => segment.backfill && segment.beginUs < 8 * S);
    expect(filling[0]).toMatchObject({ beginUs: 4 * S, sync: true });
    expect(filling.at(-1)).toMatchObject({ beginUs: 7 * S, untilUs: 7.5 * S });
    expect(planned.find((segment) => !segment.backfill)?.untilUs).toBe(4 * S);
  });

  it("knows from which piece on one has to be decoded", () => {
    const planned = planSegments([...seconds(0, 10, { every: 5 }), ...seconds(10, 12, { generation: 1 })]);
    expect(decodeFrom(planned, 4)).toBe(0);
    expect(decodeFrom(planned, 7)).toBe(5);
    expect(decodeFrom(planned, 11)).toBe(11);
    expect(segmentAt(planned, 30 * S)).toBe(-1);
    expect(frameUs(planned, 3 * S)).toBeCloseTo(S / 30);
  });
});

describe("what is held in the buffer", () => {
  const segments = planSegments(seconds(0, 60, { every: 10 }));

  it("begins at a piece that can be decoded, and goes on from there", () => {
    const held = aim(segments, NOTHING, 25 * S);
    expect(held).toEqual({ first: 20, next: 20 });
    expect(aim(segments, { first: 20, next: 22 }, 25 * S)).toEqual({ first: 20, next: 22 });
  });

  it("begins anew after a jump, but not within what is there", () => {
    const held = { first: 20, next: 32 };
    expect(aim(segments, held, 31 * S)).toBe(held);
    expect(aim(segments, held, 22 * S)).toBe(held);
    expect(aim(segments, held, 55 * S)).toEqual({ first: 50, next: 50 });
    expect(aim(segments, held, 5 * S)).toEqual({ first: 0, next: 0 });
  });

  it("is bounded ahead and behind, farther ahead when it is played faster", () => {
    expect(wantsMore(segments, { first: 0, next: 5 }, 0, 1)).toBe(true);
    expect(wantsMore(segments, { first: 0, next: 7 }, 0, 1)).toBe(false);
    expect(wantsMore(segments, { first: 0, next: 40 }, 0, 8)).toBe(true);
    expect(evictTo(segments, { first: 0, next: 40 }, 35 * S)).toBe(30);
    expect(evictTo(segments, { first: 30, next: 40 }, 35 * S)).toBe(30);
  });
});

describe("a feed's lane", () => {
  const gap = (beginS: number, endS: number, reason: string, track: string | null = "t") =>
    ({ kind: "gap", track, begin_us: beginS * S, end_us: endS * S, reason }) as unknown as GapEntry;
  const track = (pieces: PieceEntry[]): Track => ({
    name: "t",
    media: "video",
    feed: "t",
    input: "device",
    generations: [],
    segments: planSegments(pieces),
  });

  it("tells live, delivered later and missing apart", () => {
    const filled = seconds(3, 5, { generation: 1, source: "backfill" });
    const lane = laneOf(track([...seconds(0, 3), ...seconds(8, 9, { generation: 2 }), ...filled]), [
      gap(3, 8, "connection_lost"),
    ]);
    expect(lane.map(({ kind, beginUs, endUs }) => [kind, beginUs / S, endUs / S])).toEqual([
      ["live", 0, 3],
      ["backfill", 3, 5],
      ["live", 8, 9],
      ["missing", 5, 8],
    ]);
  });

  it("says a privacy pause before anything else", () => {
    const gaps = [gap(1, 5, "source_away"), gap(2, 3, "privacy_pause", null)];
    expect(gapAt(track([]), gaps, 2.5 * S)?.reason).toBe("privacy_pause");
    expect(gapAt(track([]), gaps, 4 * S)?.reason).toBe("source_away");
    expect(gapAt(track([]), gaps, 6 * S)).toBeNull();
  });
});

describe("voices", () => {
  const voice = (feed: string, from: number, to: number): Track => ({
    name: feed,
    media: "audio",
    feed,
    input: "microphone",
    generations: [],
    segments: planSegments(seconds(from, to)),
  });

  it("have a lane for each person, one for who came back, and none for pictures", () => {
    const tracks = [
      voice("p_1", 0, 3),
      voice("p_2", 1, 2),
      voice("p_3", 5, 6),
      { ...voice("x", 0, 9), media: "video" as const },
    ];
    const names = new Map([
      ["p_1", "Wang"],
      ["p_2", "Li"],
      ["p_3", "Wang"],
    ]);
    const lanes = voiceLanes(tracks, (feed) => names.get(feed) ?? feed);
    expect(
      lanes.map(({ name, spans }) => [name, spans.map((one) => [one.beginUs / S, one.endUs / S])]),
    ).toEqual([
      [
        "Wang",
        [
          [0, 3],
          [5, 6],
        ],
      ],
      ["Li", [[1, 2]]],
    ]);
  });
});

describe("the clock all tracks follow", () => {
  it("runs at its rate, holds, jumps, and stays within the consultation", () => {
    const clock = new ReplayClock(10 * S);
    clock.run(0);
    expect(clock.at(1_000)).toBe(S);
    clock.setRate(4, 1_000);
    expect(clock.at(1_500)).toBe(3 * S);
    clock.hold(1_500);
    expect(clock.at(9_000)).toBe(3 * S);
    clock.seek(99 * S, 9_000);
    expect(clock.at(9_000)).toBe(10 * S);
    clock.seek(-5, 9_000);
    expect(clock.at(9_000)).toBe(0);
  });
});

describe("keeping in step", () => {
  it("leaves alone what is in step, bends what is off, jumps over what is far off", () => {
    expect(correct(0.002, 1, "video")).toEqual({ seek: false, playbackRate: 1 });
    expect(correct(0.05, 1, "video").playbackRate).toBeLessThan(1);
    expect(correct(-0.05, 2, "video").playbackRate).toBeGreaterThan(2);
    expect(correct(-0.5, 1, "video")).toEqual({ seek: true, playbackRate: 1 });
  });

  it("bends sound so little that nobody hears it", () => {
    expect(correct(0.2, 1, "audio").playbackRate).toBeGreaterThanOrEqual(0.97);
    expect(correct(-0.2, 1, "audio").playbackRate).toBeLessThanOrEqual(1.03);
  });
});
