import { ReplayError } from "../worker/protocol";
import { aim, evictTo, NOTHING, wantsMore, type Held } from "./buffer";
import { mimeOf } from "./codecs";
import { PieceLoader, RUN_PIECES } from "./pieceLoader";
import { decodeFrom, runEnd, segmentAt, type Segment } from "./plan";
import { done, pause } from "./taken";
import type { Track } from "./timeline";

/** Decrypted bytes of an object; rejects with a `ReplayError`. */
export type Load = (object: string, sha256: string) => Promise<ArrayBuffer>;

/** Where tracks' bytes come from. */
export interface Source {
  init: Load;
  pieces: PieceLoader;
}

/** This browser does not play that codec. */
export class UnsupportedCodec extends Error {
  override readonly name = "UnsupportedCodec";
}

interface Init {
  data: ArrayBuffer;
  mime: string;
}

interface Loading {
  data: Promise<ArrayBuffer>;
  stop: AbortController;
  urgent: boolean;
}

const US_PER_S = 1_000_000;
/** Pieces in one run that nobody waits for yet. */
const RUN_AHEAD = 4;
const RETRY_MS = 1_000;
/** A decoder shows a picture only once it has had some of those after it. */
const LOOK_PAST_US = 500_000;

/** What happened. */
export interface FeederEvents {
  /** Some piece cannot be shown. */
  failed: () => void;
  /** What was wanted is in the buffer. */
  filled: () => void;
}

/** Keeps one track's source buffer filled around the place that is wanted, and small. */
export class SourceFeeder {
  /** Why the last piece that failed did. */
  problem: unknown = null;
  readonly failed = new Set<number>();
  /** How often the buffer was emptied: a browser goes on with no seek that it began before. */
  emptied = 0;
  private readonly media = new MediaSource();
  private readonly url = URL.createObjectURL(this.media);
  private buffer: SourceBuffer | null = null;
  private held: Held = NOTHING;
  private appendedGeneration = -1;
  private readonly loading = new Map<number, Loading>();
  private readonly inits = new Map<number, Promise<Init>>();
  private pumping = false;
  private ended = false;
  private target = { atUs: 0, rate: 1 };

  constructor(
    private readonly track: Track,
    private readonly source: Source,
    element: HTMLMediaElement,
    private readonly on: FeederEvents,
  ) {
    this.media.addEventListener("sourceopen", () => void this.pump(), { once: true });
    element.src = this.url;
    const [first] = track.segments;
    if (first !== undefined) this.initOf(first.generation).catch(() => undefined); // told when it is its turn
  }

  /** Fill around that place from now on. What is loaded for another place is given up. */
  aimAt(atUs: number, rate: number): void {
    this.target = { atUs, rate };
    if (this.hasMoved()) this.giveUp();
    this.hurry();
    void this.pump();
  }

  /** That segment is in the buffer: what cannot be played of it was lost before it was sealed. */
  holds(index: number): boolean {
    return index >= this.held.first && index < this.held.next;
  }

  end(): void {
    this.ended = true;
    this.giveUp();
    URL.revokeObjectURL(this.url);
  }

  /** Brings the buffer to where it should be, one step after the other. Only one runs at a time. */
  private async pump(): Promise<void> {
    if (this.pumping || !this.isUsable()) return;
    this.pumping = true;
    try {
      // What is wanted may have changed during a step that found nothing more to do.
      while (this.isUsable() && ((await this.step()) || this.hasMoved())) continue;
    } catch (error) {
      // The element was taken away meanwhile, or the browser refuses the data.
      if (this.isUsable()) this.fail(this.held.next, error);
    } finally {
      this.pumping = false;
    }
  }

  private isUsable(): boolean {
    return !this.ended && this.media.readyState === "open";
  }

  /** One thing that is to be done; false when there is none. */
  private async step(): Promise<boolean> {
    const { segments } = this.track;
    const { atUs, rate } = this.target;
    const aimed = aim(segments, this.held, atUs);
    if (aimed !== this.held) {
      this.giveUp();
      this.held = aimed;
      this.request();
      await this.clear();
    }
    if (wantsMore(segments, this.held, atUs, rate)) {
      await this.appendNext();
      return true;
    }
    return this.evict(evictTo(segments, this.held, atUs));
  }

  private async clear(): Promise<void> {
    if (this.buffer === null) return;
    this.buffer.remove(0, Number.POSITIVE_INFINITY);
    await done(this.buffer);
    this.emptied += 1;
  }

  private async evict(keep: number): Promise<boolean> {
    const segment = this.track.segments[keep];
    if (keep <= this.held.first || segment === undefined || this.buffer === null) return false;
    this.buffer.remove(0, segment.fromUs / US_PER_S);
    await done(this.buffer);
    this.held = { ...this.held, first: keep };
    return true;
  }

  private async appendNext(): Promise<void> {
    const { held } = this;
    const index = held.next;
    const segment = this.track.segments[index];
    if (segment === undefined || this.hasMoved()) return;
    let data: ArrayBuffer;
    try {
      this.request();
      if (!this.loading.has(index)) this.begin(index, index + 1, true);
      const loading = this.loaded(index); // before anything is awaited: it may be given up meanwhile
      await this.useGeneration(segment);
      data = await loading;
    } catch (error) {
      this.loading.delete(index);
      if (!(error instanceof ReplayError)) this.fail(index, error);
      else if (error.code === "unreachable") await pause(RETRY_MS);
      else if (error.code !== "aborted") this.fail(index, error);
      return;
    }
    if (this.hasMoved() || this.buffer === null) return;
    const cut = segment.untilUs < segment.endUs;
    this.buffer.appendWindowEnd = cut ? segment.untilUs / US_PER_S : Number.POSITIVE_INFINITY;
    this.buffer.appendBuffer(data);
    await done(this.buffer);
    this.loading.delete(index);
    this.held = { first: held.first, next: index + 1 };
    if (index <= this.wanted()) this.on.filled();
  }

  /** The last segment that is needed for what is to be shown. */
  private wanted(): number {
    const { segments } = this.track;
    const shown = segmentAt(segments, this.target.atUs);
    return shown < 0 ? shown : Math.max(shown, segmentAt(segments, this.target.atUs + LOOK_PAST_US));
  }

  /** The clock is somewhere else by now: what was loaded is no longer what is wanted. */
  private hasMoved(): boolean {
    return aim(this.track.segments, this.held, this.target.atUs) !== this.held;
  }

  /** Skip what cannot be had or was altered, and what cannot be decoded without it. */
  private fail(index: number, error: unknown): void {
    const { segments } = this.track;
    const { generation } = segments[index] ?? {};
    this.problem = error;
    let next = index;
    do {
      this.failed.add(next);
      this.loading.delete(next);
      next += 1;
    } while (segments[next]?.generation === generation && decodeFrom(segments, next) <= index);
    this.held = { first: this.held.first, next };
    this.on.failed();
  }

  // --- loading -----------------------------------------------------------------------------------------------

  private loaded(index: number): Promise<ArrayBuffer> {
    return this.loading.get(index)?.data ?? Promise.reject(new Error("no such segment"));
  }

  /** Ask for what is to be shown, from where it can be decoded, and then for what comes after it. */
  private request(): void {
    const { segments } = this.track;
    const { atUs, rate } = this.target;
    const wanted = this.wanted();
    let index = this.held.next;
    while (index <= wanted) index = this.begin(index, Math.min(wanted + 1, index + RUN_PIECES), true);
    while (wantsMore(segments, { first: 0, next: index }, atUs, rate)) {
      if (this.loading.size >= RUN_PIECES && !this.loading.has(index)) return;
      index = this.begin(index, index + RUN_AHEAD, false);
    }
  }

  /** Loads from `index` on, up to `end` at most; returns the first one it did not look at. */
  private begin(index: number, end: number, urgent: boolean): number {
    const begun = this.loading.get(index);
    if (begun !== undefined) {
      if (urgent && !begun.urgent) this.source.pieces.hurry(begun.stop.signal);
      begun.urgent ||= urgent;
      return index + 1;
    }
    const { segments } = this.track;
    const until = runEnd(segments, index, end, (at) => this.loading.has(at));
    const stop = new AbortController();
    const loads = this.source.pieces.load(segments.slice(index, until), urgent, stop.signal);
    for (const [at, data] of loads.entries()) {
      data.catch(() => undefined); // told when it is its turn
      this.loading.set(index + at, { data, stop, urgent });
    }
    return until;
  }

  /** The clock has come to what was loaded ahead of it. */
  private hurry(): void {
    const wanted = this.wanted();
    for (let index = this.held.next; index <= wanted && this.loading.has(index); index += 1) {
      this.begin(index, index + 1, true);
    }
  }

  private giveUp(): void {
    const begun = [...this.loading.values()];
    this.loading.clear();
    for (const { stop } of begun) stop.abort();
  }

  private async useGeneration(segment: Segment): Promise<void> {
    if (this.appendedGeneration === segment.generation && this.buffer !== null) return;
    const { data, mime } = await this.initOf(segment.generation);
    if (!this.isUsable()) return;
    if (this.buffer === null) {
      this.buffer = this.media.addSourceBuffer(mime);
      this.buffer.mode = "segments";
      this.media.duration = lengthS(this.track);
    } else this.buffer.changeType(mime);
    this.buffer.appendBuffer(data);
    await done(this.buffer);
    this.appendedGeneration = segment.generation;
  }

  private initOf(generation: number): Promise<Init> {
    let found = this.inits.get(generation);
    if (found === undefined) {
      found = this.loadInit(generation);
      found.catch((error: unknown) => {
        if (error instanceof ReplayError) this.inits.delete(generation);
      });
      this.inits.set(generation, found);
    }
    return found;
  }

  private async loadInit(generation: number): Promise<Init> {
    const entry = this.track.generations[generation];
    if (entry === undefined) throw new Error("no such generation");
    const data = await this.source.init(entry.object, entry.sha256);
    const mime = mimeOf(entry, new Uint8Array(data));
    if (mime === null || !MediaSource.isTypeSupported(mime)) throw new UnsupportedCodec(entry.codec);
    return { data, mime };
  }
}

function lengthS(track: Track): number {
  const last = track.segments.reduce((most, segment) => Math.max(most, segment.endUs), 0);
  return last / US_PER_S + 1;
}
