export type Judgement = "good" | "fair" | "poor";

export interface Measured {
  /** How old the picture is when it is shown; null when capture time is unknown. */
  ageMs: number | null;
  framesPerSecond: number;
  /** Share of packets lost and not repaired, 0 … 1. */
  lossShare: number;
}

interface Limits {
  ageMs: number;
  framesPerSecond: number;
  lossShare: number;
}

/**
 * Delay limits follow what remote guidance needs (200 ms is ideal, 300 ms suitable); one lost packet in a hundred
 * that nobody could repair is already seen.
 */
export const LIMITS: Record<"good" | "fair", Limits> = {
  good: { ageMs: 200, framesPerSecond: 24, lossShare: 0.01 },
  fair: { ageMs: 300, framesPerSecond: 15, lossShare: 0.05 },
};

/** A nominal 24 or 15 frames/s is measured a little under. */
const RATE_TOLERANCE = 0.5;

function meets(measured: Measured, limits: Limits): boolean {
  return (
    (measured.ageMs ?? 0) <= limits.ageMs &&
    measured.framesPerSecond >= limits.framesPerSecond - RATE_TOLERANCE &&
    measured.lossShare <= limits.lossShare
  );
}

export function judge(measured: Measured): Judgement {
  if (meets(measured, LIMITS.good)) return "good";
  return meets(measured, LIMITS.fair) ? "fair" : "poor";
}

/** Keeps a judgement until another one has stood for `holdMs`: a word that flickers says nothing. */
export class SteadyJudgement {
  private shown: Judgement | null = null;
  private challenger: { value: Judgement; sinceMs: number } | null = null;

  constructor(private readonly holdMs = 1_000) {}

  update(value: Judgement, nowMs: number): Judgement {
    if (this.shown === null || value === this.shown) {
      this.challenger = null;
      this.shown = value;
      return value;
    }
    if (this.challenger?.value !== value) this.challenger = { value, sinceMs: nowMs };
    if (nowMs - this.challenger.sinceMs >= this.holdMs) {
      this.shown = value;
      this.challenger = null;
    }
    return this.shown;
  }
}
