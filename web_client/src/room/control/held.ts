import type { Pressed } from "../../protocol/messages";
import { isKey, isModifier, KEYS_MAX } from "./keys";

/** `MouseEvent.buttons` that a plain mouse has: left, right, middle. */
const BUTTONS = 7;
/** A notch of a usual wheel, px. */
const NOTCH_PX = 100;
const NOTCHES_MAX = 127;

type KeyPress = Pick<KeyboardEvent, "code" | "repeat" | "isComposing" | "shiftKey" | "metaKey">;

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
/** As fine as the device's pointer is. */
const rounded = (value: number) => Math.round(clamp(value, 0, 1) * 100_000) / 100_000;

/**
 * What one person holds down on a device's console, as a state. Pure: told events, it says whether there is something
 * new to tell.
 */
export class Held {
  private readonly keys = new Set<string>();
  private pointer: Pressed["pointer"] = null;
  private wheelPx = 0;

  get isEmpty(): boolean {
    return this.keys.size === 0 && (this.pointer?.buttons ?? 0) === 0;
  }

  holds(code: string): boolean {
    return this.keys.has(code);
  }

  /** The device repeats by itself what is held. */
  keyDown(event: KeyPress): boolean {
    const lost = this.lost(event);
    const { code, repeat, isComposing } = event;
    if (repeat || isComposing || !isKey(code)) return lost;
    if (this.keys.has(code) || this.keys.size >= KEYS_MAX) return lost;
    this.keys.add(code);
    return true;
  }

  keyUp(event: KeyPress): boolean {
    const lost = this.lost(event);
    return this.keys.delete(event.code) || lost;
  }

  /**
   * Some keys come up without a word: on a Mac all that is pressed while Meta is down, on Windows one of two Shift
   * keys. They are let go when the event says that the modifier is up.
   */
  private lost({ shiftKey, metaKey }: KeyPress): boolean {
    const before = this.keys.size;
    const metaWasDown = this.keys.has("MetaLeft") || this.keys.has("MetaRight");
    for (const code of [...this.keys]) {
      if (!shiftKey && code.startsWith("Shift")) this.keys.delete(code);
      if (metaWasDown && !metaKey && (code.startsWith("Meta") || !isModifier(code))) this.keys.delete(code);
    }
    return this.keys.size !== before;
  }

  /**
   * Where the pointer is in the picture, (0, 0) … (1, 1), and its buttons. Beside the picture it stays at the edge, and
   * nothing can be pressed that was not down before.
   */
  pointerAt(x: number, y: number, buttons: number): "button" | "motion" | null {
    const { pointer: before } = this;
    const held = before?.buttons ?? 0;
    const inside = x >= 0 && x <= 1 && y >= 0 && y <= 1;
    const allowed = inside || held !== 0 ? buttons & BUTTONS : 0;
    const now = { x: rounded(x), y: rounded(y), buttons: allowed };
    this.pointer = now;
    if (allowed !== held) return "button";
    return before?.x === now.x && before.y === now.y ? null : "motion";
  }

  /** The wheel's way, px; positive: towards the user. True: at least a notch is to be told. */
  turned(byPx: number): boolean {
    this.wheelPx = clamp(this.wheelPx + byPx, -NOTCHES_MAX * NOTCH_PX, NOTCHES_MAX * NOTCH_PX);
    return Math.abs(this.wheelPx) >= NOTCH_PX;
  }

  /** Everything is let go. */
  clear(): void {
    this.keys.clear();
    this.pointer = null;
    this.wheelPx = 0;
  }

  /** What is told now; notches are told once. */
  take(): Pressed {
    const notches = Math.trunc(this.wheelPx / NOTCH_PX);
    this.wheelPx -= notches * NOTCH_PX;
    // Zero has no sign in JSON, and a turn towards the user is negative on the wire.
    return { keys: [...this.keys], pointer: this.pointer, wheel: notches === 0 ? 0 : -notches };
  }
}
