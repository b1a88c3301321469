import type { Mark, MarkMotion, MarksMoved } from "../protocol/messages";
import { opacityOf, type Spot } from "./geometry";

/**
 * Pure: which drawings are on the frame captured then, where the tissue has taken them, and how sure that is. The same
 * for a live picture, a still and a replay; the twin of `annotation/shapes.py`.
 */

/** ± 1 frame of 30 a second. */
export const FRAME_TOLERANCE_US = 34_000;
/** A word about a frame this near is about that very frame: frames of 60 a second are 16,667 apart. */
const SAME_FRAME_US = 8_000;
/** Without a word about the frame that is shown, a mark stays where it was for so long, and fades for as long again. */
const MOTION_LIVES_US = 100_000;
/** The box has not answered yet: it may take so long. */
const ANSWER_US = 1_000_000;
const UNSURE_OPACITY = 0.4;

/** Where a mark was in the frame of that capture time. */
export interface Told {
  capturedUs: number;
  motion: MarkMotion;
}

/** `null`: nothing to say. `unsure`: shown faded. `lost`: nobody knows where it is now; it is not shown. */
export type Doubt = "unsure" | "lost" | null;

export interface Seen {
  mark: Mark;
  /** 0: not to be painted, only to be spoken of. */
  opacity: number;
  /** CSS's `matrix()` in normalised coordinates; null: where it was drawn. */
  motion: readonly number[] | null;
  doubt: Doubt;
}

/** The frame that is looked at. */
export interface Looked {
  /** Its capture time, Unix µs; null: nobody knows which one it is. */
  shownUs: number | null;
  /** The server's clock, Unix µs, by which marks fade. */
  nowUs: number;
  motions?: Pick<Motions, "at"> | undefined;
}

/** What was told of one feed's marks, by frame. */
export class Motions {
  /** By mark, oldest frame first. */
  private readonly told = new Map<string, Told[]>();

  /** `kept`: how many words of a mark, the newest; `marks`: of how many marks. */
  constructor(
    private readonly kept = 600,
    private readonly marks = 64,
  ) {}

  add({ captured_us: capturedUs, marks }: Pick<MarksMoved, "captured_us" | "marks">): void {
    for (const motion of marks) {
      const words = this.told.get(motion.mark_id) ?? [];
      // The mark that was told of longest ago goes first.
      this.told.delete(motion.mark_id);
      this.told.set(motion.mark_id, words);
      const at = after(words, capturedUs);
      words.splice(at, 0, { capturedUs, motion });
      if (words.length > this.kept) words.shift();
    }
    for (const id of this.told.keys()) {
      if (this.told.size <= this.marks) break;
      this.told.delete(id);
    }
  }

  /** The word about that very frame, else the last one before it. */
  at(markId: string, shownUs: number): Told | null {
    const words = this.told.get(markId) ?? [];
    const at = after(words, shownUs);
    const [before, next] = [words[at - 1], words[at]];
    const isNext = next !== undefined && next.capturedUs - shownUs <= SAME_FRAME_US;
    const nearer =
      isNext && !(before !== undefined && shownUs - before.capturedUs < next.capturedUs - shownUs);
    return (nearer ? next : before) ?? null;
  }
}

/** What is to be seen or spoken of, in the order of the marks. */
export function seenMarks(marks: Iterable<Mark>, looked: Looked): Seen[] {
  const found: Seen[] = [];
  for (const mark of marks) {
    const seen = seenMark(mark, looked);
    if (seen !== null) found.push(seen);
  }
  return found;
}

/** Null: it is not on that frame, or has faded. */
export function seenMark(mark: Mark, { shownUs, nowUs, motions }: Looked): Seen | null {
  const opacity = opacityOf(mark, nowUs);
  if (opacity === 0) return null;
  if (mark.anchor !== "tissue") {
    return mark.anchor === "screen" || isOn(mark, shownUs)
      ? { mark, opacity, motion: null, doubt: null }
      : null;
  }
  if (shownUs === null) return { mark, opacity: 0, motion: null, doubt: "lost" };
  const told = motions?.at(mark.mark_id, shownUs) ?? null;
  return told === null
    ? unanswered(mark, opacity, shownUs, nowUs)
    : moved(mark, opacity, told, shownUs - told.capturedUs);
}

function isOn({ captured_us: capturedUs }: Mark, shownUs: number | null): boolean {
  return shownUs !== null && capturedUs !== null && Math.abs(shownUs - capturedUs) <= FRAME_TOLERANCE_US;
}

/** While it is drawn, the box cannot know yet where it goes. */
function unanswered(mark: Mark, opacity: number, shownUs: number, nowUs: number): Seen {
  const isFresh = Math.abs(shownUs - (mark.captured_us ?? 0)) <= MOTION_LIVES_US;
  if (isFresh) return { mark, opacity, motion: null, doubt: null };
  const waits = nowUs - mark.changed_us <= ANSWER_US;
  return {
    mark,
    opacity: waits ? opacity * UNSURE_OPACITY : 0,
    motion: null,
    doubt: waits ? "unsure" : "lost",
  };
}

function moved(mark: Mark, opacity: number, { motion }: Told, ageUs: number): Seen {
  const left = Math.min(1, Math.max(0, 2 - ageUs / MOTION_LIVES_US));
  if (motion.state === "lost" || left === 0) return { mark, opacity: 0, motion: null, doubt: "lost" };
  const doubt = motion.state === "unsure" || left < 1 ? "unsure" : null;
  const sure = motion.state === "unsure" ? UNSURE_OPACITY : 1;
  return { mark, opacity: opacity * sure * left, motion: motion.motion, doubt };
}

/** Where a place of the frame is on the mark as it was drawn: so that what is drawn on is under the pen. */
export function unmoved<At extends Spot>(motion: readonly number[], at: At): At {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = motion;
  const size = a * d - b * c;
  const [x, y] = [at.x - e, at.y - f];
  return Math.abs(size) < 1e-6 ? at : { ...at, x: (d * x - c * y) / size, y: (a * y - b * x) / size };
}

/** The index of the first word about a later frame. */
function after(words: readonly Told[], us: number): number {
  let [low, high] = [0, words.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((words[middle]?.capturedUs ?? 0) <= us) low = middle + 1;
    else high = middle;
  }
  return low;
}
