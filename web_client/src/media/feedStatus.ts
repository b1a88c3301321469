/** What a feed is doing, for its words on screen. */
export type FeedStatus = "waiting" | "live" | "no-signal" | "reconnecting" | "unsupported";

/** After so long without a new frame a picture counts as stopped. */
export const STALE_AFTER_MS = 1_000;

export interface FeedFacts {
  /** The server says packets of this track are arriving there. */
  liveAtServer: boolean;
  /** Our own connection that carries it is up. */
  connected: boolean;
  /** This browser cannot decode the track's codec. */
  unsupported: boolean;
  lastFrameMs: number | null;
}

/** Frames on screen are the only proof of life: whatever else is believed, without them a feed is not live. */
export function feedStatus(facts: FeedFacts, nowMs: number): FeedStatus {
  if (facts.unsupported) return "unsupported";
  if (facts.lastFrameMs !== null && nowMs - facts.lastFrameMs <= STALE_AFTER_MS) return "live";
  if (facts.lastFrameMs === null && !(facts.connected && !facts.liveAtServer)) return "waiting";
  if (!facts.connected) return "reconnecting";
  return facts.liveAtServer ? "reconnecting" : "no-signal";
}
