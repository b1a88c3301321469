import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GenerationEntry, PieceEntry } from "../format/entries";
import { ReplayError, type ProblemCode, type WantedPiece } from "../worker/protocol";
import { FakeMediaSource } from "./fakeMedia";
import { PieceLoader } from "./pieceLoader";
import { planSegments } from "./plan";
import { SourceFeeder, UnsupportedCodec } from "./sourceFeeder";
import type { Track } from "./timeline";

const S = 1_000_000;

/** An init piece as far as a codec is read from it: an `avcC` box. */
const INIT = new Uint8Array([0, 0, 0, 12, 0x61, 0x76, 0x63, 0x43, 1, 0x42, 0xc0, 0x1f]).buffer;

function trackOf(seconds: number, every: number, generations = 1): Track {
  const each = Math.ceil(seconds / generations);
  const pieces = Array.from({ length: seconds }, (_, at) => ({
    kind: "piece",
    track: "t",
    generation: Math.floor(at / each),
    number: (at % each) + 1,
    object: `piece ${at}`,
    sha256: "",
    size: 1,
    begin_us: at * S,
    end_us: (at + 1) * S,
    frames: 30,
    sync: (at % each) % every === 0,
    source: "live",
  })) as unknown as PieceEntry[];
  const known = Array.from({ length: generations }, (_, generation) => ({
    object: `init ${generation}`,
    sha256: "",
    media: "video",
    codec: "H264",
    generation,
  })) as unknown as GenerationEntry[];
  return {
    name: "t",
    media: "video",
    feed: "t",
    input: "device",
    generations: known,
    segments: planSegments(pieces),
  };
}

/** A feeder with an archive that answers at once. */
class Bench {
  readonly asked: string[][] = [];
  bad: Record<string, ProblemCode> = {};
  failed = 0;
  filled = 0;
  readonly feeder: SourceFeeder;

  constructor(track: Track, init: () => Promise<ArrayBuffer> = () => Promise.resolve(INIT)) {
    const load = (wanted: readonly WantedPiece[]) => {
      this.asked.push(wanted.map(({ object }) => object));
      return Promise.resolve(
        wanted.map(({ object }) => this.bad[object] ?? new TextEncoder().encode(object).buffer),
      );
    };
    const source = { init, pieces: new PieceLoader(load) };
    this.feeder = new SourceFeeder(track, source, { src: "" } as HTMLMediaElement, {
      failed: () => (this.failed += 1),
      filled: () => (this.filled += 1),
    });
    FakeMediaSource.last.open();
  }

  get appended(): string[] {
    return FakeMediaSource.last.buffer?.appended ?? [];
  }
}

const until = (holds: () => boolean) =>
  vi.waitFor(
    () => {
      expect(holds()).toBe(true);
    },
    { timeout: 2_000, interval: 2 },
  );

describe("a source buffer", () => {
  beforeEach(() => {
    vi.stubGlobal("MediaSource", FakeMediaSource);
    vi.stubGlobal("URL", { createObjectURL: () => "blob:", revokeObjectURL: () => undefined });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("is filled from where the wanted place can be decoded, with one request, and a little beyond", async () => {
    const bench = new Bench(trackOf(60, 10));
    bench.feeder.aimAt(23.2 * S, 1);
    await until(() => bench.feeder.holds(28));
    expect(bench.asked).toContainEqual(["piece 20", "piece 21", "piece 22", "piece 23"]);
    expect(bench.appended.filter((one) => one.startsWith("piece 2")).slice(0, 3)).toEqual([
      "piece 20",
      "piece 21",
      "piece 22",
    ]);
    expect(bench.feeder.holds(19)).toBe(false);
    expect(bench.feeder.holds(31)).toBe(false);
    expect(bench.filled).toBeGreaterThan(0);
  });

  it("loads what a decoder needs after the picture, too, when the picture is a piece's last", async () => {
    const bench = new Bench(trackOf(60, 10));
    bench.feeder.aimAt(23.8 * S, 1);
    await until(() => bench.feeder.holds(24));
    expect(bench.asked.find(([first]) => first === "piece 20")?.at(-1)).toBe("piece 24");
  });

  it("is emptied for a jump elsewhere, and what was loading is given up", async () => {
    const bench = new Bench(trackOf(60, 10));
    bench.feeder.aimAt(3 * S, 1);
    bench.feeder.aimAt(45 * S, 1);
    await until(() => bench.feeder.holds(45));
    expect(bench.feeder.holds(3)).toBe(false);
    expect(FakeMediaSource.last.buffer?.removed).toBeGreaterThan(0);
  });

  it("fails at nothing when one jumps to and fro before anything has come", async () => {
    const bench = new Bench(trackOf(60, 10));
    const places = [45, 3, 52, 12, 33, 8];
    for (const [turn, place] of places.entries()) {
      bench.feeder.aimAt(place * S, 1);
      for (let rest = 0; rest < turn; rest += 1) await Promise.resolve();
    }
    await until(() => bench.feeder.holds(8));
    expect([...bench.feeder.failed]).toEqual([]);
    expect(bench.failed).toBe(0);
  });

  it("is told of another codec where another generation begins", async () => {
    const bench = new Bench(trackOf(20, 5, 2));
    bench.feeder.aimAt(8 * S, 1);
    await until(() => bench.feeder.holds(11));
    expect(bench.appended.filter((one) => one === "init")).toHaveLength(2);
    expect(FakeMediaSource.last.buffer?.types).toEqual(['video/mp4; codecs="avc1.42c01f"']);
  });

  it("skips a piece that was altered, and what cannot be decoded without it", async () => {
    const bench = new Bench(trackOf(30, 10));
    bench.bad = { "piece 4": "altered" };
    bench.feeder.aimAt(3 * S, 4);
    await until(() => bench.feeder.holds(12));
    expect([...bench.feeder.failed]).toEqual([4, 5, 6, 7, 8, 9]);
    expect(bench.appended).toContain("piece 10");
    expect(bench.failed).toBe(1);
    expect(bench.feeder.problem).toMatchObject({ code: "altered" });
  });

  it("says so when the browser does not play the codec", async () => {
    FakeMediaSource.supports = false;
    const bench = new Bench(trackOf(10, 10));
    bench.feeder.aimAt(2 * S, 1);
    await until(() => bench.failed > 0);
    expect(bench.feeder.problem).toBeInstanceOf(UnsupportedCodec);
    FakeMediaSource.supports = true;
  });

  it("tries again what the service could not be asked for", async () => {
    vi.useFakeTimers();
    let tries = 0;
    const init = () => {
      tries += 1;
      return tries < 3 ? Promise.reject(new ReplayError("unreachable")) : Promise.resolve(INIT);
    };
    const bench = new Bench(trackOf(10, 10), init);
    bench.feeder.aimAt(2 * S, 1);
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();
    await until(() => bench.feeder.holds(2));
    expect(bench.failed).toBe(0);
  });

  it("takes no more once it is ended", async () => {
    const bench = new Bench(trackOf(60, 10));
    bench.feeder.aimAt(3 * S, 1);
    bench.feeder.end();
    const before = bench.appended.length;
    bench.feeder.aimAt(50 * S, 1);
    await Promise.resolve();
    expect(bench.appended.length).toBe(before);
  });
});
