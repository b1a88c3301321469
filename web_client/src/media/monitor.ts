import type { CaptureClock, ReportQuality, TrackInfo } from "../protocol/messages";
import type { ClockSync } from "../room/clockSync";
import type { Lowered, RoomState } from "../room/state";
import { Store } from "../room/store";
import { captureTimeUs, type ClockMapping } from "./captureClock";
import { feedStatus, STALE_AFTER_MS, STILL_SCREEN_STALE_AFTER_MS, type FeedStatus } from "./feedStatus";
import { FrameMeter } from "./frameMeter";
import { inboundByTrack, isSpeech, unrepairedLossShare, type InboundStats, type StatsLike } from "./inbound";
import { SteadySpeech } from "./speaking";
import { SteadyJudgement, type Judgement, type Measured } from "./judgement";

/** What a tile says about its picture; rounded, so that an unchanged picture changes nothing on screen. */
export interface FeedReading {
  status: FeedStatus;
  ageMs: number | null;
  framesPerSecond: number | null;
  width: number;
  height: number;
  judgement: Judgement | null;
  /** Lost and not repaired over the last seconds, in whole percent. */
  lossPercent: number;
  /** Why less is sent than is shown. */
  lowered: Lowered;
  /** Whole seconds since the last frame, once the picture has stopped. */
  stoppedForS: number | null;
}

export interface Readings {
  feeds: ReadonlyMap<string, FeedReading>;
  /** Audio tracks on which somebody speaks. */
  speaking: ReadonlySet<string>;
}

interface Watched {
  meter: FrameMeter;
  steady: SteadyJudgement;
  speech: SteadySpeech;
  clock: ClockMapping | null;
  /** Of the frame that came on screen last. */
  rtpTimestamp: number | null;
  /** The newest statistics, oldest first. */
  stats: InboundStats[];
  /** The judgement that was told last. */
  told: Judgement | null;
}

export type MonitoredState = Pick<
  RoomState,
  "tracks" | "remote" | "receiving" | "unsupported" | "layers" | "limits"
>;
export type QualityChange = Omit<ReportQuality, "type">;

/** What the server takes; a picture that old is poor in any case. */
const LONGEST_REPORTED_DELAY_MS = 600_000;
/** A picture is judged once its rate can be measured over full two seconds: its beginning is no poor picture. */
const SETTLING_MS = 2_500;
/** Loss is told over so many readings of the statistics, two a second. */
const STATS_KEPT = 7;

/** Watches every incoming track: frames as they are shown, the browser's statistics, the server's word. */
export class MediaMonitor {
  readonly readings = new Store<Readings>({ feeds: new Map(), speaking: new Set() });
  /** The judgement of a device's picture changed here. False: it could not be told now; it is tried again. */
  onJudgement: (change: QualityChange) => boolean = () => false;
  private watched = new Map<string, Watched>();
  /** Elements that show a track and tell of every frame: whether each can be seen now. */
  private showing = new Map<string, Set<() => boolean>>();

  constructor(
    private readonly state: () => MonitoredState,
    private readonly clock: Pick<ClockSync, "serverTimeUs">,
    private readonly now: () => number,
  ) {}

  /** A frame came on screen at `shownMs`. Without an RTP timestamp its age stays unknown. */
  frameShown(trackId: string, rtpTimestamp: number | null, shownMs: number): void {
    const watched = this.watch(trackId);
    watched.rtpTimestamp = rtpTimestamp;
    watched.meter.frameShown(shownMs, this.ageMs(watched.clock, rtpTimestamp, shownMs));
    if (this.readings.get().feeds.get(trackId)?.status !== "live") this.publish();
  }

  /**
   * An element shows this track from now on and tells of its frames; `isVisible`: its page can be seen. Returns how to
   * say that it does so no longer.
   */
  shownBy(trackId: string, isVisible: () => boolean): () => void {
    const elements = this.showing.get(trackId) ?? new Set();
    this.showing.set(trackId, elements.add(isVisible));
    return () => {
      elements.delete(isVisible);
      if (elements.size === 0 && this.showing.get(trackId) === elements) this.showing.delete(trackId);
    };
  }

  /** Capture time (Unix µs) of the frame that is on screen; null while nobody knows it. */
  shownUs(trackId: string): number | null {
    const { clock, rtpTimestamp } = this.watch(trackId);
    return clock === null || rtpTimestamp === null ? null : captureTimeUs(clock, rtpTimestamp);
  }

  captureClock(message: CaptureClock): void {
    this.watch(message.track_id).clock = message;
  }

  /** RTP timestamps of a new connection mean something else; and what it is judged is told from the beginning. */
  forgetClocks(): void {
    for (const watched of this.watched.values()) {
      watched.clock = null;
      watched.rtpTimestamp = null;
      watched.stats = [];
      watched.told = null;
    }
  }

  /** New statistics of the receiving connection. */
  statsRead(report: StatsLike): void {
    const byTrack = inboundByTrack(report);
    for (const [trackId, { track }] of this.state().remote) {
      const stats = byTrack.get(track.id);
      if (stats === undefined) continue;
      const watched = this.watch(trackId);
      watched.stats = [...watched.stats, stats].slice(-STATS_KEPT);
      if (stats.kind !== "video") continue;
      const isLife = ![...(this.showing.get(trackId) ?? [])].some((isVisible) => isVisible());
      watched.meter.framesDecoded(this.now(), stats.framesDecoded, isLife);
    }
  }

  /** Bring `readings` up to date with the time. */
  publish(): void {
    const nowMs = this.now();
    const present = new Set(this.state().tracks.map((track) => track.track_id));
    for (const trackId of this.watched.keys()) if (!present.has(trackId)) this.watched.delete(trackId);
    const before = this.readings.get();
    const feeds = new Map<string, FeedReading>();
    const speaking = new Set<string>();
    for (const track of this.state().tracks) {
      const { track_id: trackId } = track;
      if (track.kind === "video")
        feeds.set(trackId, keepEqual(before.feeds.get(trackId), this.read(track, nowMs)));
      else if (this.speaks(trackId, nowMs)) speaking.add(trackId);
    }
    const speakers = sameMembers(before.speaking, speaking) ? before.speaking : speaking;
    if (!sameEntries(before.feeds, feeds) || speakers !== before.speaking) {
      this.readings.set({ feeds, speaking: speakers });
    }
  }

  meter(trackId: string): FrameMeter | null {
    return this.watched.get(trackId)?.meter ?? null;
  }

  private read(track: TrackInfo, nowMs: number): FeedReading {
    const watched = this.watch(track.track_id);
    const { meter } = watched;
    const latest = watched.stats.at(-1);
    const status = this.status(track, meter, nowMs);
    const live = status === "live";
    const ageMs = live ? meter.ageMs(nowMs) : null;
    const framesPerSecond = live ? meter.framesPerSecond : null;
    const lossShare = live ? recentLoss(watched.stats) : 0;
    const settled = nowMs - (meter.firstFrameMs ?? nowMs) >= SETTLING_MS;
    const lowered = this.state().layers.get(track.track_id)?.lowered ?? null;
    const measured = { ageMs, framesPerSecond, lossShare, lowered: lowered !== null };
    const judgement = isMoving(measured) && settled ? this.judge(track, measured, nowMs) : null;
    if (status === "held") this.report(track, "poor", measured);
    return {
      status,
      ageMs: rounded(ageMs),
      framesPerSecond: rounded(framesPerSecond),
      width: latest?.frameWidth ?? 0,
      height: latest?.frameHeight ?? 0,
      judgement,
      lowered,
      lossPercent: Math.round(lossShare * 100),
      stoppedForS: live || meter.lastFrameMs === null ? null : Math.floor((nowMs - meter.lastFrameMs) / 1000),
    };
  }

  private status(track: TrackInfo, { lastFrameMs }: FrameMeter, nowMs: number): FeedStatus {
    const { receiving, unsupported, layers } = this.state();
    const facts = {
      liveAtServer: track.live,
      connected: receiving === "connected",
      unsupported: unsupported.has(track.track_id),
      held: layers.get(track.track_id)?.layer === null,
      slate: track.signal !== null && track.signal.state !== "ok",
      lastFrameMs,
      staleAfterMs: track.source === "screen" ? STILL_SCREEN_STALE_AFTER_MS : STALE_AFTER_MS,
    };
    return feedStatus(facts, nowMs);
  }

  /** A screen's frame rate says nothing: it follows what happens on it. Only devices' changes are reported. */
  private judge(track: TrackInfo, measured: LiveMeasured, nowMs: number): Judgement {
    const watched = this.watch(track.track_id);
    const framesPerSecond = track.source === "screen" ? null : measured.framesPerSecond;
    const judgement = watched.steady.update({ ...measured, framesPerSecond }, this.state().limits, nowMs);
    this.report(track, judgement, measured);
    return judgement;
  }

  private report(track: TrackInfo, judgement: Judgement, measured: Measured): void {
    const watched = this.watch(track.track_id);
    if (judgement === watched.told || track.source !== "device") return;
    const { ageMs, framesPerSecond: frame_rate, lossShare: loss } = measured;
    const delay_ms = ageMs === null ? null : Math.min(ageMs, LONGEST_REPORTED_DELAY_MS);
    const told = this.onJudgement({ feed: track.feed, judgement, delay_ms, frame_rate, loss });
    if (told) watched.told = judgement;
  }

  private speaks(trackId: string, nowMs: number): boolean {
    const { speech, stats } = this.watch(trackId);
    const [previous, latest] = stats.slice(-2);
    return speech.update(previous !== undefined && latest !== undefined && isSpeech(previous, latest), nowMs);
  }

  private ageMs(clock: ClockMapping | null, rtpTimestamp: number | null, shownMs: number): number | null {
    const shownUs = this.clock.serverTimeUs(shownMs);
    if (clock === null || rtpTimestamp === null || shownUs === null) return null;
    // Clocks that disagree by a little must not show a picture from the future.
    return Math.max(0, (shownUs - captureTimeUs(clock, rtpTimestamp)) / 1000);
  }

  private watch(trackId: string): Watched {
    const known = this.watched.get(trackId);
    if (known !== undefined) return known;
    const fresh: Watched = {
      meter: new FrameMeter(),
      steady: new SteadyJudgement(),
      speech: new SteadySpeech(),
      clock: null,
      rtpTimestamp: null,
      stats: [],
      told: null,
    };
    this.watched.set(trackId, fresh);
    return fresh;
  }
}

type LiveMeasured = Measured & { framesPerSecond: number };

const isMoving = (measured: Measured): measured is LiveMeasured => measured.framesPerSecond !== null;

const rounded = (value: number | null) => (value === null ? null : Math.round(value));

function recentLoss(stats: readonly InboundStats[]): number {
  const [first] = stats;
  const last = stats.at(-1);
  return first === undefined || last === undefined ? 0 : unrepairedLossShare(first, last);
}

/** The old object when nothing in it changed, so that nothing is drawn anew. */
function keepEqual(before: FeedReading | undefined, after: FeedReading): FeedReading {
  const keys = Object.keys(after) as (keyof FeedReading)[];
  return before !== undefined && keys.every((key) => before[key] === after[key]) ? before : after;
}

function sameEntries(a: ReadonlyMap<string, FeedReading>, b: ReadonlyMap<string, FeedReading>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function sameMembers(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((value) => b.has(value));
}
