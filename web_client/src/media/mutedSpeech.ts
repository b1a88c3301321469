import { SPEECH_RMS } from "./inbound";
import type { Level } from "./level";

/** Speech within this time swells and ebbs by this much; a pump, a fan or suction does not. */
const WINDOW_MS = 1_000;
const SWELLS_BY = 2;
/** Peaks of a voice stand out of its mean by more than this; those of a beeping monitor's tone by 1.4. */
const CREST = 1.8;
/** A syllable lasts on for so long. */
const LINGERS_MS = 150;
/** So much speech, pauses subtracted, before anything is said: more than a few coughs. */
const ENOUGH_MS = 1_200;
const MOST_MS = 2 * ENOUGH_MS;
/** Silence takes back this share of its length. */
const FORGETTING = 0.6;
/** How long the warning stays after the last speech. */
const STAYS_MS = 4_000;
/** Readings come further apart in a tab in the background; each stands for at most this. */
const MAX_STEP_MS = 200;
const MAX_READINGS = 64;

/** Notices that somebody speaks into a muted microphone. Pure: levels and times in, a warning or none out. */
export class MutedSpeech {
  private recent: { rms: number; atMs: number }[] = [];
  private speechMs = 0;
  private lastSpeechMs = -Infinity;
  private warning = false;

  /** `level` is null when it is not known, or may not be the person's. */
  update(level: Level | null, muted: boolean, nowMs: number): boolean {
    if (!muted) return this.reset();
    const stepMs = Math.min(MAX_STEP_MS, nowMs - (this.recent.at(-1)?.atMs ?? nowMs));
    if (level !== null && this.isSpeech(level, nowMs)) this.lastSpeechMs = nowMs;
    const speaks = nowMs - this.lastSpeechMs < LINGERS_MS;
    const change = speaks ? stepMs : -FORGETTING * stepMs;
    this.speechMs = Math.min(MOST_MS, Math.max(0, this.speechMs + change));
    this.warning = this.speechMs >= ENOUGH_MS || (this.warning && nowMs - this.lastSpeechMs < STAYS_MS);
    return this.warning;
  }

  private isSpeech({ rms, peak }: Level, nowMs: number): boolean {
    this.recent = this.recent.filter(({ atMs }) => nowMs - atMs < WINDOW_MS).slice(1 - MAX_READINGS);
    this.recent.push({ rms, atMs: nowMs });
    const quietest = Math.min(...this.recent.map((reading) => reading.rms));
    return rms > SPEECH_RMS && rms > SWELLS_BY * quietest && peak > CREST * rms;
  }

  private reset(): false {
    this.recent = [];
    this.speechMs = 0;
    this.lastSpeechMs = -Infinity;
    this.warning = false;
    return false;
  }
}
