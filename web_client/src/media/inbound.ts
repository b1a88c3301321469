/** The part of an `inbound-rtp` statistics object this client reads (W3C webrtc-stats; not all browsers have all). */
export interface InboundStats {
  kind: "audio" | "video";
  trackIdentifier: string;
  framesDecoded: number;
  frameWidth: number;
  frameHeight: number;
  freezeCount: number;
  packetsReceived: number;
  packetsLost: number;
  retransmittedPacketsReceived: number;
  totalAudioEnergy: number;
  totalSamplesDuration: number;
}

const NUMBERS = [
  "framesDecoded",
  "frameWidth",
  "frameHeight",
  "freezeCount",
  "packetsReceived",
  "packetsLost",
  "retransmittedPacketsReceived",
  "totalAudioEnergy",
  "totalSamplesDuration",
] as const;

type Entry = Readonly<Record<string, unknown>>;
export type StatsLike = Pick<ReadonlyMap<string, unknown>, "forEach">;

function entries(report: StatsLike): Entry[] {
  const found: Entry[] = [];
  report.forEach((value) => {
    if (typeof value === "object" && value !== null) found.push(value as Entry);
  });
  return found;
}

/** Inbound streams by the identifier of their MediaStreamTrack. Numbers a browser does not give are 0. */
export function inboundByTrack(report: StatsLike): Map<string, InboundStats> {
  const result = new Map<string, InboundStats>();
  for (const entry of entries(report)) {
    const { type, kind, trackIdentifier } = entry;
    if (type !== "inbound-rtp" || typeof trackIdentifier !== "string") continue;
    if (kind !== "audio" && kind !== "video") continue;
    const numbers = Object.fromEntries(NUMBERS.map((name) => [name, number(entry[name])]));
    result.set(trackIdentifier, { kind, trackIdentifier, ...numbers } as InboundStats);
  }
  return result;
}

/** The negotiated SRTP suite, e.g. `AEAD_AES_256_GCM`; null while there is none. */
export function srtpCipher(report: StatsLike): string | null {
  for (const { type, srtpCipher: cipher } of entries(report)) {
    if (type === "transport" && typeof cipher === "string" && cipher !== "") return cipher;
  }
  return null;
}

/** Share of packets lost for good between two readings: retransmitted ones were lost, but came. */
export function unrepairedLossShare(before: InboundStats, after: InboundStats): number {
  const lost = after.packetsLost - before.packetsLost;
  const repaired = after.retransmittedPacketsReceived - before.retransmittedPacketsReceived;
  const received = after.packetsReceived - before.packetsReceived;
  const missing = Math.max(0, lost - Math.max(0, repaired));
  return missing === 0 ? 0 : missing / (missing + Math.max(0, received));
}

/** Louder than this (RMS, full scale is 1) counts as speech: about −40 dB. */
export const SPEECH_RMS = 0.01;

export function isSpeech(before: InboundStats, after: InboundStats): boolean {
  const seconds = after.totalSamplesDuration - before.totalSamplesDuration;
  const energy = after.totalAudioEnergy - before.totalAudioEnergy;
  return seconds > 0 && Math.sqrt(energy / seconds) > SPEECH_RMS;
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
