import { decodeFrom, firstAfter, segmentAt, type Segment } from "./plan";

/** Which segments are, or are to be, in a source buffer. Pure: `TrackPlayer` carries it out. */

/** How far ahead of the clock pieces are fetched, s at normal speed; more at higher speed. */
const AHEAD_US = 6_000_000;
/** How much of what was played is kept, for a step back. */
const BEHIND_US = 4_000_000;

export interface Held {
  /** The first segment that is held. */
  first: number;
  /** The first one behind them: the next to append. */
  next: number;
}

export const NOTHING: Held = { first: 0, next: 0 };

/**
 * What to hold to show `atUs`: `held` if it can go on to there, else a fresh start at the last segment before that can be
 * decoded by itself.
 */
export function aim(segments: readonly Segment[], held: Held, atUs: number): Held {
  const shown = segmentAt(segments, atUs);
  const index = shown >= 0 ? shown : firstAfter(segments, atUs);
  if (index >= segments.length) return held;
  const from = decodeFrom(segments, index);
  return held.first <= from && from <= held.next ? held : { first: from, next: from };
}

/** True when the next segment is near enough to be appended. */
export function wantsMore(segments: readonly Segment[], held: Held, atUs: number, rate: number): boolean {
  const next = segments[held.next];
  return next !== undefined && next.fromUs < atUs + AHEAD_US * Math.max(1, rate);
}

/** The first segment to keep once everything before it may go; `held.first` when nothing may. */
export function evictTo(segments: readonly Segment[], held: Held, atUs: number): number {
  const oldest = firstAfter(segments, atUs - BEHIND_US);
  const keep = decodeFrom(segments, Math.min(oldest, segments.length - 1));
  return keep > held.first && keep < held.next ? keep : held.first;
}
