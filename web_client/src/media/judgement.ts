import type { QualityLimits, ReportQuality } from "../protocol/messages";

export type Judgement = ReportQuality["judgement"];

export interface Measured {
  /** How old the picture is when it is shown; null when capture time is unknown. */
  ageMs: number | null;
  /** null: not judged, as for a shared screen, which sends a frame only when something changes. */
  framesPerSecond: number | null;
  /** Share of packets lost and not repaired, 0 … 1. */
  lossShare: number;
  /** It is sent smaller than it is shown. */
  lowered?: boolean;
}

/** One lost packet in a hundred that nobody could repair is already seen. */
const LOSS_LIMITS = { good: 0.01, fair: 0.05 };

/** A nominal 24 or 15 frames/s is measured a little under. */
const RATE_TOLERANCE = 0.5;

/** To be called better again, a picture has to be better than the limit by so much. */
const MARGIN = 0.1;

function meets(word: "good" | "fair", measured: Measured, limits: QualityLimits, margin: number): boolean {
  const delayMs = word === "good" ? limits.good_delay_ms : limits.fair_delay_ms;
  const rate = word === "good" ? limits.good_frame_rate : limits.fair_frame_rate;
  if (word === "good" && measured.lowered === true) return false;
  return (
    (measured.ageMs ?? 0) <= delayMs * (1 - margin) &&
    // 10 % over a limit of 24 would be out of reach for a camera of 25: half the margin does here.
    (measured.framesPerSecond ?? Infinity) >= (rate - RATE_TOLERANCE) * (1 + margin / 2) &&
    measured.lossShare <= LOSS_LIMITS[word] * (1 - margin)
  );
}

/** One plain word, by the service's limits. `margin` makes all of them stricter by that share. */
export function judge(measured: Measured, limits: QualityLimits, margin = 0): Judgement {
  if (meets("good", measured, limits, margin)) return "good";
  return meets("fair", measured, limits, margin) ? "fair" : "poor";
}

const RANK: Record<Judgement, number> = { poor: 0, fair: 1, good: 2 };
const WORSE_AFTER_MS = 1_000;
const BETTER_AFTER_MS = 3_000;

/**
 * The word that is shown. It gets worse when that has lasted a second, and better when the picture was clearly better
 * for three: a word that flickers says nothing.
 */
export class SteadyJudgement {
  private shown: Judgement | null = null;
  private turn: { better: boolean; sinceMs: number } | null = null;

  update(measured: Measured, limits: QualityLimits, nowMs: number): Judgement {
    const { shown } = this;
    const next = shown === null ? judge(measured, limits) : candidate(shown, measured, limits);
    if (shown === null || next === shown) return this.settle(next);
    const better = RANK[next] > RANK[shown];
    if (this.turn?.better !== better) this.turn = { better, sinceMs: nowMs };
    const lasted = nowMs - this.turn.sinceMs >= (better ? BETTER_AFTER_MS : WORSE_AFTER_MS);
    return lasted ? this.settle(next) : shown;
  }

  private settle(value: Judgement): Judgement {
    this.turn = null;
    this.shown = value;
    return value;
  }
}

function candidate(shown: Judgement, measured: Measured, limits: QualityLimits): Judgement {
  const plain = judge(measured, limits);
  if (RANK[plain] <= RANK[shown]) return plain;
  const clear = judge(measured, limits, MARGIN);
  return RANK[clear] > RANK[shown] ? clear : shown;
}
