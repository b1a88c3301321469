/** What a feed is doing, for its words on screen. `held`: paused, because the network carries no more. */
export type FeedStatus =
  "waiting" | "live" | "held" | "stalled" | "no-signal" | "reconnecting" | "unsupported";

/** After so long without a new frame a picture counts as stopped. */
export const STALE_AFTER_MS = 1_000;
/** A shared screen on which nothing happens sends about a frame a second. */
export const STILL_SCREEN_STALE_AFTER_MS = 5_000;

export interface FeedFacts {
  /** The server says packets of this track are arriving there. */
  liveAtServer: boolean;
  /** Our own connection that carries it is up. */
  connected: boolean;
  /** This browser cannot decode the track's codec. */
  unsupported: boolean;
  /** The server sends nothing of it for want of room. */
  held: boolean;
  /** The box says that its device delivers nothing: what comes is a slate that says so. */
  slate: boolean;
  lastFrameMs: number | null;
  staleAfterMs: number;
}

/** Frames on screen are the only proof of life: whatever else is believed, without them a feed is not live. */
export function feedStatus(facts: FeedFacts, nowMs: number): FeedStatus {
  if (facts.unsupported) return "unsupported";
  if (facts.held && facts.connected && facts.liveAtServer) return "held";
  if (facts.slate && facts.connected && facts.lastFrameMs !== null) return "no-signal";
  if (facts.lastFrameMs !== null && nowMs - facts.lastFrameMs <= facts.staleAfterMs) return "live";
  if (facts.lastFrameMs === null && !(facts.connected && !facts.liveAtServer)) return "waiting";
  if (!facts.connected) return "reconnecting";
  return facts.liveAtServer ? "stalled" : "no-signal";
}
