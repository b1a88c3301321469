import type { DrawingsReport } from "./annotation/desk";
import { inboundByTrack, srtpCipher, type InboundStats } from "./media/inbound";
import type { Judgement } from "./media/judgement";
import type { RoomClient } from "./room/client";
import { feedsOf, shownStatus, type Feed, type ShownStatus } from "./room/feeds";
import type { TrackInfo } from "./protocol/messages";
import type { Lowered } from "./room/state";

/** One picture. Counters are the browser's (W3C webrtc-stats), since the connection that carries it was made. */
export interface FeedReport {
  state: ShownStatus;
  trackId: string | null;
  codec: string | null;
  framesPerSecond: number | null;
  frameWidth: number;
  frameHeight: number;
  framesDecoded: number;
  /** From the click on *Join* to the first frame on screen, ms. */
  firstFrameMs: number | null;
  freezeCount: number;
  /** Longest time between two frames on screen, ms, since joining. */
  longestGapMs: number;
  /** From capture to screen, ms; null while the capture time is unknown. */
  ageMs: number | null;
  judgement: Judgement | null;
  /** The encoding that comes: a rid, empty without layers; null: none, or not told yet. */
  layer: string | null;
  /** Why less comes than is shown. */
  lowered: Lowered;
  packetsReceived: number;
  packetsLost: number;
  srtpCipher: string | null;
}

/** One person's or device's sound, as it arrives here. */
export interface AudioReport {
  state: "live" | "muted" | "waiting";
  trackId: string;
  totalAudioEnergy: number;
  totalSamplesDuration: number;
  packetsReceived: number;
  srtpCipher: string | null;
}

export interface ConnectionReport {
  state: RTCPeerConnectionState | null;
  srtpCipher: string | null;
}

export interface SupportReport {
  room: string | null;
  link: string | null;
  /** In the lobby. */
  waiting: boolean;
  /** The site paused picture and sound. */
  paused: boolean;
  /** Chat messages that the server has not confirmed. */
  unsent: number;
  clock: { offsetUs: number; rttMs: number } | null;
  receiving: ConnectionReport;
  sending: ConnectionReport;
  /** By feed name (a person's screen: `<name>-screen`). */
  feeds: Record<string, FeedReport>;
  /** By feed name. */
  audio: Record<string, AudioReport>;
}

/** `window.teleconsult`: read-only, for tests and for people who help on the telephone. Contains no secrets. */
export interface Support {
  stats: () => Promise<SupportReport>;
  /** What is drawn, by feed. */
  drawings: () => Record<string, DrawingsReport>;
}

declare global {
  interface Window {
    readonly teleconsult: Support;
  }
}

let current: RoomClient | null = null;

/** Say which room `stats()` tells about; null after leaving. */
export function supportRoom(client: RoomClient | null): void {
  current = client;
}

export function installSupport(target: Window): void {
  const support: Support = Object.freeze({
    stats: () => report(current),
    drawings: () => current?.media.drawings.report() ?? {},
  });
  Object.defineProperty(target, "teleconsult", { value: support });
}

const NOT_CONNECTED: ConnectionReport = { state: null, srtpCipher: null };

async function report(client: RoomClient | null): Promise<SupportReport> {
  if (client === null) {
    const nothing = { receiving: NOT_CONNECTED, sending: NOT_CONNECTED, feeds: {}, audio: {} };
    const nowhere = { room: null, link: null, waiting: false, paused: false, unsent: 0, clock: null };
    return { ...nowhere, ...nothing };
  }
  const [incoming, outgoing] = await Promise.all([
    client.subscriber.getStats(),
    client.own.publisher.getStats(),
  ]);
  const inbound = inboundByTrack(incoming ?? new Map());
  client.monitor.publish();
  const state = client.store.get();
  const cipher = incoming && srtpCipher(incoming);
  const sound = state.tracks.filter((track) => isRemoteSound(track, state.me?.participant_id));
  const statsOf = (trackId: string) => inbound.get(state.remote.get(trackId)?.track.id ?? "") ?? null;
  return {
    room: state.room,
    link: state.link,
    waiting: state.waiting,
    paused: state.consultation?.paused ?? false,
    unsent: client.chat.outbox.store.get().length,
    clock: client.clock.best,
    receiving: { state: incoming && client.subscriber.state, srtpCipher: cipher },
    sending: { state: client.own.publisher.state, srtpCipher: outgoing && srtpCipher(outgoing) },
    feeds: Object.fromEntries(
      feedsOf(state).map((feed) => [
        feed.id,
        { ...feedReport(client, feed, statsOf(feed.trackId ?? "")), srtpCipher: cipher },
      ]),
    ),
    audio: Object.fromEntries(
      sound.map((track) => [
        track.feed,
        { ...audioReport(track, statsOf(track.track_id)), srtpCipher: cipher },
      ]),
    ),
  };
}

const isRemoteSound = (track: TrackInfo, me: string | undefined) =>
  track.kind === "audio" && track.participant_id !== me;

function feedReport(
  client: RoomClient,
  feed: Feed,
  inbound: InboundStats | null,
): Omit<FeedReport, "srtpCipher"> {
  const { trackId } = feed;
  const key = trackId ?? "";
  const reading = client.monitor.readings.get().feeds.get(key);
  const meter = client.monitor.meter(key);
  const shownLayer = client.store.get().layers.get(key);
  const firstFrameMs = meter?.firstFrameMs ?? null;
  return {
    state: shownStatus(feed, reading ?? null),
    trackId,
    codec: client.store.get().tracks.find((track) => track.track_id === key)?.codec ?? null,
    framesPerSecond: reading?.framesPerSecond ?? null,
    frameWidth: inbound?.frameWidth ?? 0,
    frameHeight: inbound?.frameHeight ?? 0,
    framesDecoded: inbound?.framesDecoded ?? 0,
    firstFrameMs: firstFrameMs === null ? null : firstFrameMs - client.startedMs,
    freezeCount: inbound?.freezeCount ?? 0,
    longestGapMs: meter?.longestGapMs ?? 0,
    ageMs: reading?.ageMs ?? null,
    judgement: reading?.judgement ?? null,
    layer: shownLayer?.layer ?? null,
    lowered: shownLayer?.lowered ?? null,
    packetsReceived: inbound?.packetsReceived ?? 0,
    packetsLost: inbound?.packetsLost ?? 0,
  };
}

function audioReport(track: TrackInfo, inbound: InboundStats | null): Omit<AudioReport, "srtpCipher"> {
  const packetsReceived = inbound?.packetsReceived ?? 0;
  return {
    state: track.muted ? "muted" : packetsReceived > 0 ? "live" : "waiting",
    trackId: track.track_id,
    totalAudioEnergy: inbound?.totalAudioEnergy ?? 0,
    totalSamplesDuration: inbound?.totalSamplesDuration ?? 0,
    packetsReceived,
  };
}
