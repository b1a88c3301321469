import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GenerationEntry, PieceEntry } from "../format/entries";
import { FakeElement, FakeMediaSource } from "./fakeMedia";
import { PieceLoader } from "./pieceLoader";
import { planSegments } from "./plan";
import type { Track } from "./timeline";
import { TrackPlayer } from "./trackPlayer";

const S = 1_000_000;

/** From 10 s to 20 s, and from 30 s to 40 s. */
const track = (media: Track["media"]): Track => {
  const seconds = [...Array(10).keys()].flatMap((at) => [10 + at, 30 + at]).sort((one, other) => one - other);
  const pieces = seconds.map((at, index) => ({
    kind: "piece",
    track: "t",
    generation: 0,
    number: index + 1,
    object: `piece ${at}`,
    sha256: "",
    size: 1,
    begin_us: at * S,
    end_us: (at + 1) * S,
    frames: 30,
    sync: true,
    source: "live",
  })) as unknown as PieceEntry[];
  const generations = [{ object: "init", sha256: "", media, codec: "VP8" }] as unknown as GenerationEntry[];
  return {
    name: "t",
    media,
    feed: "t",
    input: "device",
    generations,
    segments: planSegments(pieces),
  };
};

class Bench {
  changes = 0;
  news = 0;
  readonly element = new FakeElement();
  readonly player: TrackPlayer;

  constructor(media: Track["media"] = "video") {
    const pieces = new PieceLoader((wanted) =>
      Promise.resolve(wanted.map(({ object }) => new TextEncoder().encode(object).buffer)),
    );
    const source = { init: () => Promise.resolve(new ArrayBuffer(4)), pieces };
    this.player = new TrackPlayer(
      track(media),
      source,
      () => (this.changes += 1),
      () => (this.news += 1),
    );
    this.player.attach(this.element as unknown as HTMLMediaElement);
    FakeMediaSource.last.open();
  }

  follow(atS: number, rate = 1, running = true): void {
    this.player.follow(atS * S, rate, running, 0);
  }
}

describe("a track's element", () => {
  beforeEach(() => {
    vi.stubGlobal("MediaSource", FakeMediaSource);
    vi.stubGlobal("HTMLVideoElement", FakeMediaSource); // no element here is one
    vi.stubGlobal("URL", { createObjectURL: () => "blob:", revokeObjectURL: () => undefined });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("shows nothing where nothing was recorded, and holds nobody up there", () => {
    const bench = new Bench();
    bench.follow(25);
    expect(bench.player.state).toBe("missing");
    expect(bench.player.ready(25 * S)).toBe(true);
    expect(bench.element.paused).toBe(true);
  });

  it("holds the others up until its picture is there, and says when something came", async () => {
    const bench = new Bench();
    bench.follow(12);
    expect(bench.player.state).toBe("waiting");
    expect(bench.player.ready(12 * S)).toBe(false);
    await vi.waitFor(() => {
      expect(bench.news).toBeGreaterThan(0);
    });
    bench.element.span = [10, 20];
    bench.element.seeking = true;
    expect(bench.player.ready(12 * S)).toBe(false);
    bench.element.seeking = false;
    expect(bench.player.ready(12 * S)).toBe(true);
    bench.element.dispatchEvent(new Event("seeked"));
    bench.follow(12);
    expect(bench.player.state).toBe("shown");
  });

  it("holds nobody up just before a silence, where a browser never ends a seek in sound", () => {
    for (const [media, left] of [
      ["audio", true],
      ["video", false],
    ] as const) {
      const bench = new Bench(media);
      bench.element.span = [10, 20];
      bench.element.seeking = true;
      bench.follow(19.7);
      expect(bench.player.ready(19.7 * S)).toBe(left);
      expect(bench.player.ready(19.4 * S), "the browser has what it needs").toBe(false);
    }
    const bench = new Bench("audio");
    bench.element.span = [10, 18];
    bench.element.seeking = true;
    bench.follow(17.7);
    expect(bench.player.ready(17.7 * S), "more of it comes").toBe(false);
  });

  it("jumps when it is far off, bends its speed when it is a little off, at every speed", () => {
    for (const rate of [0.5, 1, 2, 4, 8]) {
      const bench = new Bench();
      bench.element.span = [10, 20];
      bench.element.currentTime = 10;
      bench.follow(15, rate);
      expect(bench.element.currentTime).toBe(15);
      bench.element.currentTime = 15 - 0.05 * Math.max(1, rate);
      bench.follow(15, rate);
      expect(bench.element.currentTime).toBe(15 - 0.05 * Math.max(1, rate));
      expect(bench.element.playbackRate).toBeGreaterThan(rate);
      expect(bench.element.playbackRate).toBeLessThanOrEqual(rate * 1.25);
      expect(bench.element.paused).toBe(false);
    }
  });

  it.each([true, false])("gives up a seek to what was given up meanwhile (running: %s)", (running) => {
    const bench = new Bench();
    bench.element.currentTime = 12; // whose pieces are gone again
    bench.element.seeking = true;
    bench.element.span = [30, 40];
    bench.follow(35, 1, running);
    expect(bench.element.currentTime).toBe(35);
    bench.follow(36, 1, running);
    expect(bench.element.currentTime, "this one will end by itself").toBe(35);
  });

  it.each([true, false])(
    "seeks once more what was taken away during a seek (running: %s)",
    async (running) => {
      const bench = new Bench();
      const held = async (atS: number) => {
        bench.element.span = null;
        const { news } = bench;
        bench.follow(atS, 1, running);
        await vi.waitFor(() => {
          expect(bench.news).toBeGreaterThan(news);
        });
        bench.element.span = [atS - 1, atS + 5];
      };
      await held(12);
      bench.follow(12, 1, running);
      bench.element.seeking = true;
      await held(35); // sought by nobody yet: 12 is still where the element wants to go
      await held(12);
      let sought = 0;
      Object.defineProperty(bench.element, "currentTime", { get: () => 12, set: () => (sought += 1) });
      bench.follow(12, 1, running);
      bench.follow(12, 1, running);
      expect(sought).toBe(1);
    },
  );

  it("stands at the very place when the clock stands", () => {
    const bench = new Bench();
    bench.element.span = [10, 20];
    bench.follow(13.37, 1, false);
    expect(bench.element.currentTime).toBe(13.37);
    expect(bench.element.paused).toBe(true);
    bench.element.span = [13.38, 20]; // containers round times
    bench.follow(13.37, 1, false);
    expect(bench.element.currentTime).toBeGreaterThan(13.38);
  });

  it("says that it failed when the browser cannot play it, and holds nobody up", () => {
    const bench = new Bench();
    bench.element.error = new Error("decode");
    bench.follow(12);
    expect(bench.player.state).toBe("failed");
    expect(bench.player.ready(12 * S)).toBe(true);
  });

  it("lets its element go, and hears nothing of it any more", () => {
    const bench = new Bench();
    bench.player.detach();
    const { news } = bench;
    bench.element.dispatchEvent(new Event("seeked"));
    expect(bench.news).toBe(news);
    expect(bench.element.src).toBe("");
    bench.follow(12);
    expect(bench.player.ready(12 * S)).toBe(true);
  });
});
