import type { Mark } from "../protocol/messages";
import { Store } from "../room/store";
import type { Tool } from "./operations";

/** 30 a second: how often a pointer is said, and a stroke that is being drawn. */
export const POINTER_EVERY_MS = 33;
export const FADE_AFTER_MS = 8_000;

/** `hand`: nothing is drawn, the picture is moved. */
export type ChosenTool = Tool | "pointer" | "hand";

/** What a mark stays with. */
export type Anchor = Mark["anchor"];
export const ANCHORS: readonly Anchor[] = ["screen", "frame", "tissue"];

export interface Tools {
  tool: ChosenTool;
  /** What is drawn disappears by itself. */
  fades: boolean;
  anchor: Anchor;
  colour: string;
  /** Of lines, in heights of the picture. */
  width: number;
}

/** On a picture whose tissue nobody follows, drawings stay with the screen. Pure. */
export const possibleAnchor = (anchor: Anchor, follows: boolean): Anchor =>
  anchor === "tissue" && !follows ? "screen" : anchor;

/** The one after it that is possible. Pure. */
export function nextAnchor(anchor: Anchor, follows: boolean): Anchor {
  const next = ANCHORS[(ANCHORS.indexOf(possibleAnchor(anchor, follows)) + 1) % ANCHORS.length] ?? "screen";
  return possibleAnchor(next, follows);
}

/** Told apart by people who see few colours, on dark pictures as on bright ones. */
export const COLOURS = [
  "#ffd60a",
  "#34c7ff",
  "#ff6b5e",
  "#5be37d",
  "#ff8ad8",
  "#ffa43a",
  "#b79cff",
  "#ffffff",
] as const;

export const WIDTH = 0.006;

/** The same person has the same colour everywhere. Pure. */
export function colourOf(person: string): string {
  let sum = 7;
  for (const char of person) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 65_521;
  return COLOURS[sum % COLOURS.length] ?? COLOURS[0];
}

/** What this person draws with. */
export class Toolbox {
  readonly store = new Store<Tools>({
    tool: "hand",
    fades: false,
    anchor: "screen",
    colour: COLOURS[0],
    width: WIDTH,
  });
  private person: string | null = null;

  began(person: string): void {
    if (this.person === person) return;
    this.person = person;
    this.set({ colour: colourOf(person) });
  }

  set(change: Partial<Tools>): void {
    this.store.set({ ...this.store.get(), ...change });
  }

  /** Chosen again, a tool is put away. */
  choose(tool: ChosenTool): void {
    this.set({ tool: this.store.get().tool === tool ? "hand" : tool });
  }
}
