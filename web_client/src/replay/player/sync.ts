/** How one track is kept in step with the clock. Pure. */

export interface Correction {
  /** Jump to where the clock is. */
  seek: boolean;
  playbackRate: number;
}

/** Nearer than this is in step: correcting would only add noise. */
const IN_STEP_S = { video: 0.004, audio: 0.015 };
/** Farther than this is not caught up but jumped over. */
const JUMP_S = { video: 0.2, audio: 0.25 };
/** How much faster or slower at most; more than this can be heard. */
const BEND = { video: 0.25, audio: 0.03 };
/** An error is made good in about this time. */
const WITHIN_S = { video: 0.25, audio: 1 };

/** `aheadS`: how far the element is ahead of the clock, s of the timeline. */
export function correct(aheadS: number, rate: number, media: "audio" | "video"): Correction {
  const off = Math.abs(aheadS);
  if (off > JUMP_S[media] * Math.max(1, rate)) return { seek: true, playbackRate: rate };
  if (off <= IN_STEP_S[media] * Math.max(1, rate)) return { seek: false, playbackRate: rate };
  const bend = Math.min(BEND[media], Math.max(-BEND[media], -aheadS / rate / WITHIN_S[media]));
  return { seek: false, playbackRate: rate * (1 + bend) };
}
