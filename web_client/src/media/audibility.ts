/** Why nobody can hear somebody whose microphone is on. */
export type Unheard = "paused" | "not-connected" | "system-muted" | "silent" | "not-arriving" | "alone";

export interface AudibleFacts {
  /** The person wants to be heard: the microphone is on. */
  on: boolean;
  /** Loudest sample since the last call, full scale 1; null when unknown. */
  peak: number | null;
  /** The system or the browser took the sound away (W3C mediacapture-streams: a muted track). */
  systemMuted: boolean;
  /** The publish connection. */
  sending: RTCPeerConnectionState | null;
  /** The own track as the server tells; null before it is published. */
  track: { live: boolean; paused: boolean } | null;
  /** Other people in the room. */
  others: number;
}

/** Two steps of 16 bits: less is a switch on the device, a dead battery or a loose plug, not a quiet room. */
const SILENT_PEAK = 2 / 32_768;

/** How long each cause has to last before it is told, most telling cause first. */
const AFTER_MS: Record<Unheard, number> = {
  paused: 0,
  "not-connected": 3_000,
  "system-muted": 1_000,
  silent: 8_000,
  "not-arriving": 4_000,
  alone: 2_000,
};
const CAUSES = Object.keys(AFTER_MS) as Unheard[];

function holds(cause: Unheard, facts: AudibleFacts): boolean {
  switch (cause) {
    case "paused":
      return facts.track?.paused === true;
    case "not-connected":
      return facts.sending !== "connected";
    case "system-muted":
      return facts.systemMuted;
    case "silent":
      return facts.peak !== null && facts.peak <= SILENT_PEAK;
    case "not-arriving":
      return facts.track?.live !== true;
    case "alone":
      return facts.others === 0;
  }
}

/** Notices that nobody can hear somebody who wants to be heard. Pure: facts and times in, the cause or null out. */
export class Audibility {
  private since = new Map<Unheard, number>();

  update(facts: AudibleFacts, nowMs: number): Unheard | null {
    for (const cause of CAUSES) {
      if (!facts.on || !holds(cause, facts)) this.since.delete(cause);
      else if (!this.since.has(cause)) this.since.set(cause, nowMs);
    }
    return CAUSES.find((cause) => nowMs - (this.since.get(cause) ?? Infinity) >= AFTER_MS[cause]) ?? null;
  }
}
