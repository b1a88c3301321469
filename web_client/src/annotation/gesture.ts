import type { Mark, NewMark, Scale } from "../protocol/messages";
import type { FeedDrawings } from "./feedDrawings";
import { rounded, type Spot } from "./geometry";
import { POINTS_PER_MARK, type Tool } from "./operations";
import { FADE_AFTER_MS, type Tools } from "./toolbox";

/** What is being drawn is said so often: 30 times a second. */
export const SAY_EVERY_MS = 33;
/** Nearer than this, in the picture, the next point of a stroke says nothing new. */
const FINEST = 0.0006;
/** A shape smaller than this was a slip of the hand. */
const SMALLEST = 0.008;

export type DragTool = Exclude<Tool, "text">;

export interface GestureParts {
  drawings: Pick<FeedDrawings, "do">;
  tools: Tools;
  tool: DragTool;
  /** Capture time of the frame it is drawn on, Unix µs. */
  capturedUs: number | null;
  /** For rulers. */
  scale: Scale | null;
  /** Where a place on screen is on that mark, when it has moved while it is drawn. */
  settle?: (markId: string, touch: Touch) => Touch;
  newId: () => string;
}

export interface Touch extends Spot {
  /** 0 … 1; null where the device knows none. */
  pressure: number | null;
}

/** One press, move and release → operations, said while it goes on. Pure but for what it says; told times in ms. */
export class Gesture {
  readonly step: string;
  private markId: string;
  private saidPoints = 0;
  private points: number[] = [];
  private pressures: number[] = [];
  private saidMs = -Infinity;
  private changed = false;

  constructor(
    private readonly parts: GestureParts,
    private readonly first: Touch,
  ) {
    this.step = parts.newId();
    this.markId = parts.newId();
    if (parts.tool === "pen") this.append(first);
    else this.points = [rounded(first.x), rounded(first.y)];
  }

  move(touches: readonly Touch[], nowMs: number): void {
    for (const raw of touches) {
      const touch = this.parts.settle?.(this.markId, raw) ?? raw;
      if (this.parts.tool === "pen") this.append(touch);
      else this.drag(touch);
    }
    this.flush(nowMs);
  }

  /** To be called with every frame: what was drawn is said when it is time. */
  flush(nowMs: number): void {
    if (!this.changed || nowMs - this.saidMs < SAY_EVERY_MS) return;
    this.saidMs = nowMs;
    this.say();
  }

  /** Returns the mark's id; null when nothing was drawn. */
  end(): string | null {
    if (this.changed) this.say();
    return this.saidPoints === 0 ? null : this.markId;
  }

  /** Another gesture was meant: what was drawn goes. */
  cancel(): void {
    if (this.saidPoints === 0) return;
    this.parts.drawings.do({ op: "remove", mark_id: this.markId, step: this.step });
    this.saidPoints = 0;
    this.changed = false;
  }

  private append({ x, y, pressure }: Touch): void {
    const [lastX, lastY] = this.points.slice(-2);
    const near = lastX !== undefined && lastY !== undefined && Math.hypot(x - lastX, y - lastY) < FINEST;
    if (near) return;
    if (this.points.length >= 2 * POINTS_PER_MARK) this.goOn();
    this.points.push(rounded(x), rounded(y));
    // A stroke has pressures throughout, or nowhere.
    if (this.first.pressure !== null) this.pressures.push(rounded(pressure ?? this.first.pressure));
    this.changed = true;
  }

  private drag({ x, y }: Touch): void {
    const end = [rounded(x), rounded(y)];
    this.points = [...this.points.slice(0, 2), ...end];
    const far = Math.hypot(x - this.first.x, y - this.first.y) >= SMALLEST;
    if (far || this.saidPoints > 0) this.changed = true;
  }

  /** A mark holds so many points; the stroke goes on in another one, and both are undone together. */
  private goOn(): void {
    this.say();
    this.markId = this.parts.newId();
    this.points = this.points.slice(-2);
    this.pressures = this.pressures.slice(-1);
    this.saidPoints = 0;
  }

  private say(): void {
    this.changed = false;
    const { drawings } = this.parts;
    const { step, markId: mark_id } = this;
    if (this.saidPoints === 0) {
      drawings.do({ op: "add", mark: this.mark(), step });
    } else if (this.parts.tool === "pen") {
      const start = this.saidPoints;
      const points = this.points.slice(2 * start);
      if (points.length === 0) return;
      drawings.do({ op: "extend", mark_id, start, points, pressures: this.pressures.slice(start), step });
    } else {
      drawings.do({ op: "update", mark_id, points: [...this.points], step });
    }
    this.saidPoints = this.points.length / 2;
  }

  private mark(): NewMark {
    const { tool, tools, capturedUs, scale } = this.parts;
    return {
      mark_id: this.markId,
      tool,
      ...looks(tools, capturedUs),
      points: [...this.points],
      pressures: [...this.pressures],
      scale: tool === "ruler" ? scale : null,
    };
  }
}

/** What all marks of a person have in common. */
export function looks(
  { colour, width, fades, anchor }: Tools,
  capturedUs: number | null,
): Pick<NewMark, "colour" | "width" | "anchor" | "captured_us" | "fade_after_ms"> {
  const captured_us = capturedUs === null ? null : Math.round(capturedUs);
  return { colour, width, anchor, captured_us, fade_after_ms: fades ? FADE_AFTER_MS : null };
}

/**
 * A ruler drawn before the scale was known says it now: the same line, in one step. One that moves with the tissue stays
 * as it is: the box may no longer have the frame it was drawn on.
 */
export function measuredAnew(
  ruler: Mark,
  scale: Scale,
  newId: () => string,
  drawings: Pick<FeedDrawings, "do">,
) {
  if (ruler.anchor === "tissue") return;
  const step = newId();
  const { points, colour, width, anchor, captured_us, fade_after_ms } = ruler;
  drawings.do({ op: "remove", mark_id: ruler.mark_id, step });
  const mark = {
    mark_id: newId(),
    tool: "ruler" as const,
    points,
    colour,
    width,
    anchor,
    captured_us,
    fade_after_ms,
    scale,
  };
  drawings.do({ op: "add", mark, step });
}
