import { Store } from "../../room/store";
import { ReplayClock } from "./clock";
import { frameUs } from "./plan";
import { openingUs, type Timeline } from "./timeline";
import { PieceLoader, type LoadRun } from "./pieceLoader";
import type { Load } from "./sourceFeeder";
import { TrackPlayer, type TrackState } from "./trackPlayer";

export const RATES = [0.5, 1, 2, 4, 8] as const;
export type Rate = (typeof RATES)[number];

export interface PlayerState {
  positionUs: number;
  playing: boolean;
  /** Playing, but waiting for pieces. */
  waiting: boolean;
  rate: Rate;
}

const TICK_MS = 40;
/** Sound is not understood faster than this. */
const HEARD_UP_TO = 2;
/** Pieces that do not come hold the others up no longer than this. */
const PATIENCE_MS = 8_000;

/** A step looks for its picture this many times; a picture on screen farther away than that is not stepped from. */
const FAR_FRAMES = 12;
/** What was sought is on screen after so many ticks; back, where the first try is right as a rule, with more patience. */
const SETTLED_TICKS = { forward: 3, back: 6 };

/** So much before a picture is the one before it; more than what a paused element is allowed to be off. */
const BEFORE_US = 2_000;

/** A step that has not found its picture yet. */
interface Looking {
  reference: TrackPlayer;
  direction: 1 | -1;
  fromUs: number;
  length: number;
  left: number;
  settled: number;
}

/** All tracks of a consultation in step with one clock. */
export class ReplayPlayer {
  readonly store: Store<PlayerState>;
  /** By track; what each one shows. */
  readonly lanes: Store<ReadonlyMap<string, TrackState>>;
  readonly players: readonly TrackPlayer[];
  private readonly clock: ReplayClock;
  private readonly pieces: PieceLoader;
  private timer: ReturnType<typeof setInterval> | null = null;
  private playing = false;
  private muted = false;
  private waitingSinceMs: number | null = null;
  private looking: Looking | null = null;

  constructor(
    readonly timeline: Timeline,
    init: Load,
    run: LoadRun,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.clock = new ReplayClock(timeline.lengthUs);
    this.store = new Store<PlayerState>({ positionUs: 0, playing: false, waiting: false, rate: 1 });
    this.lanes = new Store<ReadonlyMap<string, TrackState>>(new Map());
    this.pieces = new PieceLoader(run);
    const source = { init, pieces: this.pieces };
    this.players = timeline.tracks.map(
      (track) => new TrackPlayer(track, source, this.noteLanes, this.lookAgain),
    );
    this.clock.seek(openingUs(timeline), this.now());
  }

  get positionUs(): number {
    return this.clock.at(this.now());
  }

  /** Where the clock is, was or will be at a moment of `performance.now()` close to now. */
  positionAt(nowMs: number): number {
    return this.clock.at(nowMs);
  }

  start(): void {
    this.timer ??= setInterval(() => {
      this.tick();
    }, TICK_MS);
    this.tick();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    for (const player of this.players) player.detach();
  }

  attach(track: string, element: HTMLMediaElement): void {
    this.players.find((player) => player.track.name === track)?.attach(element);
    this.tick();
  }

  play(): void {
    if (this.positionUs >= this.timeline.lengthUs) this.clock.seek(0, this.now());
    this.playing = true;
    this.tick();
  }

  pause(): void {
    this.playing = false;
    this.clock.hold(this.now());
    this.tick();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(toUs: number): void {
    this.clock.hold(this.now());
    this.clock.seek(toUs, this.now());
    this.waitingSinceMs = null;
    this.looking = null;
    this.tick();
  }

  setRate(rate: Rate): void {
    this.clock.setRate(rate, this.now());
    this.tick();
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
  }

  get isMuted(): boolean {
    return this.muted || this.clock.rate > HEARD_UP_TO;
  }

  /** One picture on or back, of the first picture there is at the moment. */
  step(direction: 1 | -1): void {
    this.pause();
    const at = this.positionUs;
    const reference = this.players.find((one) => one.track.media === "video" && one.covers(at));
    const segments = reference?.track.segments ?? [];
    const length = frameUs(segments, at);
    const seen = reference?.state === "shown" ? reference.shown?.atUs : undefined;
    const isNear = seen !== undefined && Math.abs(seen - at) < FAR_FRAMES * length;
    const from = isNear ? seen : at;
    // Just before a picture is the one before it, as a rule; where pictures are farther apart, `goOn` looks for it.
    const by = direction < 0 && isNear ? -BEFORE_US : direction * 1.1 * length;
    const isFirst = isNear && !segments.some((segment) => segment.fromUs < from - BEFORE_US);
    if (direction < 0 && isFirst) return;
    this.seek(from + by);
    if (reference !== undefined) {
      this.looking = { reference, direction, fromUs: from, length, left: FAR_FRAMES, settled: 0 };
    }
  }

  /** Still the same picture after a step: the next one is farther away than usual. */
  private goOn(ready: boolean, at: number): void {
    const { looking } = this;
    if (looking === null || !ready) return;
    looking.settled += 1;
    if (looking.reference.shown?.atUs !== looking.fromUs || looking.left === 0) this.looking = null;
    else if (looking.settled >= SETTLED_TICKS[looking.direction > 0 ? "forward" : "back"]) {
      this.clock.seek(at + (looking.direction * looking.length) / 2, this.now());
      this.looking = { ...looking, left: looking.left - 1, settled: 0 };
    }
  }

  private tick(): void {
    const nowMs = this.now();
    const at = this.clock.at(nowMs);
    if (this.playing && at >= this.timeline.lengthUs) this.playing = false;
    const ready = this.players.every((player) => player.ready(at));
    if (this.playing && (ready || this.isOutOfPatience(nowMs))) this.clock.run(nowMs);
    else this.clock.hold(nowMs);
    if (ready) this.waitingSinceMs = null;
    this.pieces.setCalm(ready || this.isOutOfPatience(nowMs));
    for (const player of this.players) player.follow(at, this.clock.rate, this.clock.running, nowMs);
    this.goOn(ready, at);
    this.publish(ready);
  }

  private isOutOfPatience(nowMs: number): boolean {
    this.waitingSinceMs ??= nowMs;
    return nowMs - this.waitingSinceMs > PATIENCE_MS;
  }

  private publish(ready: boolean): void {
    const next: PlayerState = {
      positionUs: this.positionUs,
      playing: this.playing,
      waiting: !ready,
      rate: this.clock.rate as Rate,
    };
    const last = this.store.get();
    const same =
      next.positionUs === last.positionUs &&
      next.playing === last.playing &&
      next.waiting === last.waiting &&
      next.rate === last.rate;
    if (!same) this.store.set(next);
  }

  /** At once, not at the next tick. */
  private readonly lookAgain = (): void => {
    if (this.timer !== null) this.tick();
  };

  private readonly noteLanes = (): void => {
    this.lanes.set(new Map(this.players.map((player) => [player.track.name, player.state])));
  };
}
