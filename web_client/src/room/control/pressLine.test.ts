import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Pressed } from "../../protocol/messages";
import { PressLine, SIGN_OF_LIFE_MS } from "./pressLine";

let said: Pressed[];
let isThere: boolean;
let line: PressLine;

const key = (code: string) =>
  ({ code, repeat: false, isComposing: false, shiftKey: false, metaKey: false }) as KeyboardEvent;
const NOTHING = { keys: [], pointer: null, wheel: 0 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  said = [];
  isThere = true;
  line = new PressLine({
    say: (pressed) => {
      if (isThere) said.push(pressed);
      return isThere;
    },
    nowMs: () => performance.now(),
    later: (act, ms) => setTimeout(act, ms),
  });
});
afterEach(() => {
  line.close();
  vi.useRealTimers();
});

test("from the beginning it says every half second what is down, also when that is nothing", () => {
  expect(said).toEqual([NOTHING]);
  vi.advanceTimersByTime(4 * SIGN_OF_LIFE_MS);
  expect(said).toEqual(Array.from({ length: 5 }, () => NOTHING));
});

test("keys and buttons are told at once, each", () => {
  line.key(key("KeyA"), true);
  line.key(key("KeyA"), false);
  line.pointerAt(0.5, 0.5, 1);
  line.pointerAt(0.5, 0.5, 0);
  expect(said.slice(1).map(({ keys, pointer }) => [keys, pointer?.buttons])).toEqual([
    [["KeyA"], undefined],
    [[], undefined],
    [[], 1],
    [[], 0],
  ]);
});

test("of a thousand places in a second at most 61 are told, the newest always", () => {
  for (let ms = 1; ms <= 1000; ms += 1) {
    line.pointerAt(ms / 1000, 0.5, 0);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(20);
  expect(said.length).toBeGreaterThan(40);
  expect(said.length).toBeLessThanOrEqual(62);
  expect(said.at(-1)?.pointer?.x).toBe(1);
});

test("a button goes with where the pointer is by then, and no older place comes after it", () => {
  line.pointerAt(0.1, 0.5, 0);
  line.pointerAt(0.2, 0.5, 1);
  vi.advanceTimersByTime(100);
  expect(said.slice(1).map(({ pointer }) => pointer)).toEqual([{ x: 0.2, y: 0.5, buttons: 1 }]);
});

test("each notch of the wheel is told once", () => {
  line.turned(100);
  line.turned(100);
  vi.advanceTimersByTime(3 * SIGN_OF_LIFE_MS);
  expect(said.map(({ wheel }) => wheel).filter((notches) => notches !== 0)).toEqual([-2]);
});

test("what was held is let go with one empty state", () => {
  line.key(key("ControlLeft"), true);
  line.pointerAt(0.5, 0.5, 1);
  line.letGo();
  expect(said.at(-1)).toEqual(NOTHING);
  const { length } = said;
  line.letGo();
  expect(said).toHaveLength(length);
});

test("a key that is not held here belongs to the room when it comes up", () => {
  expect(line.key(key("Space"), false)).toBe(false);
  line.key(key("Space"), true);
  expect(line.key(key("Space"), false)).toBe(true);
});

test("a room that is away lets go of everything: nothing is down when it is back", () => {
  line.key(key("KeyA"), true);
  isThere = false;
  vi.advanceTimersByTime(SIGN_OF_LIFE_MS);
  isThere = true;
  vi.advanceTimersByTime(SIGN_OF_LIFE_MS);
  expect(said.at(-1)).toEqual(NOTHING);
});

test("once it is closed nothing is told any more", () => {
  line.close();
  line.key(key("KeyA"), true);
  line.pointerAt(0.5, 0.5, 1);
  vi.advanceTimersByTime(10 * SIGN_OF_LIFE_MS);
  expect(said).toHaveLength(1);
});
