import type { CaptureClock } from "../protocol/messages";
import type { ClockSync } from "../room/clockSync";
import type { RoomState } from "../room/state";
import { Store } from "../room/store";
import { captureTimeUs, type ClockMapping } from "./captureClock";
import { feedStatus, type FeedStatus } from "./feedStatus";
import { FrameMeter } from "./frameMeter";
import { inboundByTrack, isSpeech, unrepairedLossShare, type InboundStats, type StatsLike } from "./inbound";
import { judge, SteadyJudgement, type Judgement } from "./judgement";

/** What a tile says about its picture; rounded, so that an unchanged picture changes nothing on screen. */
export interface FeedReading {
  status: FeedStatus;
  ageMs: number | null;
  framesPerSecond: number | null;
  width: number;
  height: number;
  judgement: Judgement | null;
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
  clock: ClockMapping | null;
  latest: InboundStats | null;
  previous: InboundStats | null;
}

export type MonitoredState = Pick<RoomState, "tracks" | "remote" | "receiving" | "unsupported">;

/** Watches every incoming track: frames as they are shown, the browser's statistics, the server's word. */
export class MediaMonitor {
  readonly readings = new Store<Readings>({ feeds: new Map(), speaking: new Set() });
  private watched = new Map<string, Watched>();

  constructor(
    private readonly state: () => MonitoredState,
    private readonly clock: Pick<ClockSync, "serverTimeUs">,
    private readonly now: () => number,
  ) {}

  /** A frame came on screen at `shownMs`. Without an RTP timestamp its age stays unknown. */
  frameShown(trackId: string, rtpTimestamp: number | null, shownMs: number): void {
    const watched = this.watch(trackId);
    watched.meter.frameShown(shownMs, this.ageMs(watched.clock, rtpTimestamp, shownMs));
    if (this.readings.get().feeds.get(trackId)?.status !== "live") this.publish();
  }

  captureClock(message: CaptureClock): void {
    this.watch(message.track_id).clock = message;
  }

  /** RTP timestamps of a new connection mean something else. */
  forgetClocks(): void {
    for (const watched of this.watched.values()) {
      watched.clock = null;
      watched.latest = watched.previous = null;
    }
  }

  /** New statistics of the receiving connection. */
  statsRead(report: StatsLike): void {
    const byTrack = inboundByTrack(report);
    for (const [trackId, { track }] of this.state().remote) {
      const stats = byTrack.get(track.id);
      if (stats === undefined) continue;
      const watched = this.watch(trackId);
      watched.previous = watched.latest;
      watched.latest = stats;
      if (stats.kind === "video") watched.meter.framesDecoded(this.now(), stats.framesDecoded);
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
    for (const { track_id: trackId, kind, live } of this.state().tracks) {
      if (kind === "video")
        feeds.set(trackId, keepEqual(before.feeds.get(trackId), this.read(trackId, live, nowMs)));
      else if (this.speaks(trackId)) speaking.add(trackId);
    }
    if (!sameEntries(before.feeds, feeds) || !sameMembers(before.speaking, speaking)) {
      this.readings.set({ feeds, speaking });
    }
  }

  meter(trackId: string): FrameMeter | null {
    return this.watched.get(trackId)?.meter ?? null;
  }

  private read(trackId: string, liveAtServer: boolean, nowMs: number): FeedReading {
    const { meter, steady, latest, previous } = this.watch(trackId);
    const { receiving, unsupported } = this.state();
    const facts = {
      liveAtServer,
      connected: receiving === "connected",
      unsupported: unsupported.has(trackId),
      lastFrameMs: meter.lastFrameMs,
    };
    const status = feedStatus(facts, nowMs);
    const live = status === "live";
    const ageMs = live ? meter.ageMs(nowMs) : null;
    const framesPerSecond = live ? meter.framesPerSecond : null;
    const lossShare = latest && previous ? unrepairedLossShare(previous, latest) : 0;
    const judged = framesPerSecond === null ? null : judge({ ageMs, framesPerSecond, lossShare });
    return {
      status,
      ageMs: ageMs === null ? null : Math.round(ageMs),
      framesPerSecond: framesPerSecond === null ? null : Math.round(framesPerSecond),
      width: latest?.frameWidth ?? 0,
      height: latest?.frameHeight ?? 0,
      judgement: judged === null ? null : steady.update(judged, nowMs),
      stoppedForS: live || meter.lastFrameMs === null ? null : Math.floor((nowMs - meter.lastFrameMs) / 1000),
    };
  }

  private speaks(trackId: string): boolean {
    const { latest, previous } = this.watch(trackId);
    return latest !== null && previous !== null && isSpeech(previous, latest);
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
      clock: null,
      latest: null,
      previous: null,
    };
    this.watched.set(trackId, fresh);
    return fresh;
  }
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
