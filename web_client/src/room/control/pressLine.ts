import type { Pressed } from "../../protocol/messages";
import { Held } from "./held";

/** Pointer and wheel are told 60 times a second at most; timers count whole milliseconds. */
const MOTION_EVERY_MS = 17;
/** Without it the box lets go of everything after 1.5 s. */
export const SIGN_OF_LIFE_MS = 500;

export interface PressLineParts {
  /** Of the state as it is now. False: the room is away. */
  say: (pressed: Pressed) => boolean;
  nowMs: () => number;
  later: (act: () => void, ms: number) => ReturnType<typeof setTimeout>;
}

/**
 * Tells what is down, as long as a control is active: keys and buttons at once, where the pointer went at most so often
 * and only its newest place, and the same state again as a sign of life. A room that is away lets go of everything:
 * what is still down when it comes back was pressed too long ago to mean anything.
 */
export class PressLine {
  private readonly held = new Held();
  private saidMs = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private soon = false;
  private isOver = false;

  constructor(private readonly parts: PressLineParts) {
    this.say();
  }

  /** False: nobody pressed that here, and the key means what it means in the room. */
  key(event: KeyboardEvent, down: boolean): boolean {
    const ours = down || this.held.holds(event.code);
    if (down ? this.held.keyDown(event) : this.held.keyUp(event)) this.say();
    return ours;
  }

  pointerAt(x: number, y: number, buttons: number): void {
    const news = this.held.pointerAt(x, y, buttons);
    if (news === "button") this.say();
    else if (news === "motion") this.saySoon();
  }

  turned(byPx: number): void {
    if (this.held.turned(byPx)) this.saySoon();
  }

  /** Nothing is down any more. */
  letGo(): void {
    const wasEmpty = this.held.isEmpty;
    this.held.clear();
    if (!wasEmpty || this.soon) this.say();
  }

  /** The control is over: nothing more is told. */
  close(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  private saySoon(): void {
    if (this.soon) return;
    const dueMs = this.saidMs + MOTION_EVERY_MS - this.parts.nowMs();
    if (dueMs <= 0) this.say();
    else this.next(dueMs, true);
  }

  private say(): void {
    if (this.isOver) return;
    if (!this.parts.say(this.held.take())) this.held.clear();
    this.saidMs = this.parts.nowMs();
    this.next(SIGN_OF_LIFE_MS, false);
  }

  private next(ms: number, soon: boolean): void {
    clearTimeout(this.timer);
    this.soon = soon;
    this.timer = this.parts.later(() => {
      this.say();
    }, ms);
  }
}
