import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GenerationEntry, PieceEntry } from "../format/entries";
import { FakeElement, FakeMediaSource } from "./fakeMedia";
import { planSegments } from "./plan";
import { ReplayPlayer } from "./replayPlayer";
import type { Timeline } from "./timeline";

const MS = 1_000;
const FRAME_MS = 33;

/** Shows the picture of the moment it is put to; where there is none, what follows, as browsers do. */
class FakeVideo extends FakeElement {
  /** From and until when each picture is, ms. */
  static pictures: readonly (readonly [number, number])[] = [];
  private told: ((now: number, frame: { mediaTime: number; expectedDisplayTime: number }) => void) | null =
    null;
  private place = 0;
  private lastMs = -1;

  constructor() {
    super();
    delete (this as { currentTime?: number }).currentTime;
    Object.defineProperty(this, "currentTime", {
      get: () => this.place,
      set: (to: number) => {
        this.place = to;
        queueMicrotask(() => {
          this.show();
        });
      },
    });
  }

  protected override get spans(): readonly (readonly [number, number])[] {
    const spans: [number, number][] = [];
    for (const [from, until] of FakeVideo.pictures) {
      const last = spans.at(-1);
      if (last?.[1] === from / 1000) last[1] = until / 1000;
      else spans.push([from / 1000, until / 1000]);
    }
    return spans;
  }

  requestVideoFrameCallback(told: typeof this.told): number {
    this.told = told;
    return 1;
  }

  cancelVideoFrameCallback(): void {
    this.told = null;
  }

  private show(): void {
    const found = FakeVideo.pictures.find(([, until]) => this.place * 1000 < until);
    if (found === undefined || found[0] === this.lastMs) return;
    this.lastMs = found[0];
    this.told?.(0, { mediaTime: found[0] / 1000, expectedDisplayTime: 0 });
  }
}

/** One track of `pictures`, of which a piece holds everything up to a pause of more than 100 ms. */
async function opened(pictures: readonly (readonly [number, number])[]): Promise<ReplayPlayer> {
  FakeVideo.pictures = pictures;
  const groups: (readonly [number, number])[][] = [];
  for (const picture of pictures) {
    const last = groups.at(-1)?.at(-1);
    if (last === undefined || picture[0] - last[1] > 100) groups.push([picture]);
    else groups.at(-1)?.push(picture);
  }
  const pieces = groups.map((group, index) => ({
    kind: "piece",
    track: "t",
    generation: 0,
    number: index + 1,
    object: `piece ${index}`,
    sha256: "",
    size: 1,
    begin_us: (group[0]?.[0] ?? 0) * MS,
    end_us: (group.at(-1)?.[1] ?? 0) * MS,
    frames: group.length,
    sync: true,
    source: "live",
  })) as unknown as PieceEntry[];
  const generations = [
    { object: "init", sha256: "", media: "video", codec: "VP8" },
  ] as unknown as GenerationEntry[];
  const timeline = {
    lengthUs: (pictures.at(-1)?.[1] ?? 0) * MS,
    tracks: [
      { name: "t", media: "video", feed: "t", input: "device", generations, segments: planSegments(pieces) },
    ],
  } as unknown as Timeline;
  const player = new ReplayPlayer(
    timeline,
    () => Promise.resolve(new ArrayBuffer(4)),
    (wanted) => Promise.resolve(wanted.map(({ object }) => new TextEncoder().encode(object).buffer)),
  );
  player.attach("t", new FakeVideo() as unknown as HTMLMediaElement);
  FakeMediaSource.last.open();
  player.start();
  await vi.advanceTimersByTimeAsync(100);
  return player;
}

const shownMs = (player: ReplayPlayer) => Math.round((player.players[0]?.shown?.atUs ?? -1) / MS);

async function seek(player: ReplayPlayer, toMs: number): Promise<void> {
  player.seek(toMs * MS);
  await vi.advanceTimersByTimeAsync(400);
}

async function step(player: ReplayPlayer, direction: 1 | -1): Promise<number> {
  player.step(direction);
  await vi.advanceTimersByTimeAsync(2_000);
  return shownMs(player);
}

const evenly = (fromMs: number, count: number) =>
  [...Array(count).keys()].map(
    (index) => [fromMs + index * FRAME_MS, fromMs + (index + 1) * FRAME_MS] as [number, number],
  );

describe("steps from picture to picture", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("MediaSource", FakeMediaSource);
    vi.stubGlobal("HTMLVideoElement", FakeVideo);
    vi.stubGlobal("URL", { createObjectURL: () => "blob:", revokeObjectURL: () => undefined });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("go to each one, there and back", async () => {
    const player = await opened(evenly(0, 30));
    await seek(player, 5 * FRAME_MS + 10);
    expect(shownMs(player)).toBe(5 * FRAME_MS);
    for (const index of [6, 7, 8]) expect(await step(player, 1)).toBe(index * FRAME_MS);
    for (const index of [7, 6, 5, 4]) expect(await step(player, -1)).toBe(index * FRAME_MS);
    player.stop();
  });

  it.each([5, 15, 40, 90])("pass %d ms between two pieces in which there is no picture", async (hole) => {
    const before = evenly(0, 10);
    const after = evenly(10 * FRAME_MS + hole, 10);
    const player = await opened([...before, ...after]);
    const [first, last] = [after[0]?.[0] ?? 0, before.at(-1)?.[0] ?? 0];
    await seek(player, first + 10);
    expect(shownMs(player)).toBe(first);
    expect(await step(player, -1)).toBe(last);
    expect(await step(player, 1)).toBe(first);
    player.stop();
  });

  it("stay at the first picture of all", async () => {
    const player = await opened(evenly(500, 10));
    await seek(player, 510);
    expect(await step(player, -1)).toBe(500);
    expect(await step(player, -1)).toBe(500);
    expect(player.players[0]?.state).toBe("shown");
    expect(await step(player, 1)).toBe(500 + FRAME_MS);
    player.stop();
  });

  it("go on through what is missing, in both directions", async () => {
    const before = evenly(0, 10);
    const after = evenly(1_000, 10);
    const player = await opened([...before, ...after]);
    await seek(player, 1_010);
    expect(shownMs(player)).toBe(1_000);
    let steps = 0;
    while (shownMs(player) >= 1_000 && steps < 60) {
      await step(player, -1);
      steps += 1;
    }
    expect(shownMs(player)).toBe(9 * FRAME_MS);
    while (shownMs(player) < 1_000 && steps < 120) {
      await step(player, 1);
      steps += 1;
    }
    expect(shownMs(player)).toBe(1_000);
    player.stop();
  });
});
