import { expect, test } from "vitest";
import { Held } from "./held";
import { KEYS_MAX } from "./keys";

const key = (code: string, over: Record<string, boolean> = {}) => ({
  code,
  repeat: false,
  isComposing: false,
  shiftKey: false,
  metaKey: false,
  ...over,
});

test("keys are down from their press to their release", () => {
  const held = new Held();
  expect(held.keyDown(key("KeyA"))).toBe(true);
  expect(held.keyDown(key("Tab"))).toBe(true);
  expect(held.take().keys).toEqual(["KeyA", "Tab"]);
  expect(held.keyUp(key("KeyA"))).toBe(true);
  expect(held.take().keys).toEqual(["Tab"]);
  expect(held.isEmpty).toBe(false);
});

test("a key that is held is told once: the device repeats it itself", () => {
  const held = new Held();
  held.keyDown(key("KeyA"));
  expect(held.keyDown(key("KeyA", { repeat: true }))).toBe(false);
  expect(held.keyDown(key("KeyB", { repeat: true }))).toBe(false);
  expect(held.take().keys).toEqual(["KeyA"]);
});

test("what an input method composes, and keys that no keyboard has, are not pressed", () => {
  const held = new Held();
  expect(held.keyDown(key("KeyA", { isComposing: true }))).toBe(false);
  expect(held.keyDown(key(""))).toBe(false);
  expect(held.keyDown(key("Power"))).toBe(false);
  expect(held.isEmpty).toBe(true);
});

test("on a Mac, what went down with Meta comes up with it, though nobody says so; other modifiers stay", () => {
  const held = new Held();
  held.keyDown(key("ShiftLeft", { shiftKey: true }));
  held.keyDown(key("MetaLeft", { shiftKey: true, metaKey: true }));
  held.keyDown(key("KeyC", { shiftKey: true, metaKey: true }));
  expect(held.keyUp(key("MetaLeft", { shiftKey: true }))).toBe(true);
  expect(held.take().keys).toEqual(["ShiftLeft"]);
});

test("without Meta a key stays down when another comes up", () => {
  const held = new Held();
  held.keyDown(key("KeyA"));
  held.keyDown(key("KeyB"));
  held.keyUp(key("KeyB"));
  expect(held.take().keys).toEqual(["KeyA"]);
});

test("of two Shift keys that come up together, only one is told: both are up", () => {
  const held = new Held();
  held.keyDown(key("ShiftLeft", { shiftKey: true }));
  held.keyDown(key("ShiftRight", { shiftKey: true }));
  expect(held.keyUp(key("ShiftRight"))).toBe(true);
  expect(held.isEmpty).toBe(true);
});

test("no more keys are down than a keyboard reports", () => {
  const held = new Held();
  const codes = Array.from({ length: KEYS_MAX + 1 }, (_, at) => `F${at + 1}`);
  expect(codes.map((code) => held.keyDown(key(code)))).toEqual([...codes.slice(1).map(() => true), false]);
  expect(held.take().keys).toHaveLength(KEYS_MAX);
});

test("the pointer says where it is, and whether that or a button is new", () => {
  const held = new Held();
  expect(held.take().pointer).toBeNull();
  expect(held.pointerAt(0.25, 1 / 3, 0)).toBe("motion");
  expect(held.pointerAt(0.25, 1 / 3, 0)).toBeNull();
  expect(held.pointerAt(0.25, 1 / 3, 2)).toBe("button");
  expect(held.take().pointer).toEqual({ x: 0.25, y: 0.33333, buttons: 2 });
  expect(held.isEmpty).toBe(false);
});

test("beside the picture nothing can be pressed; what was pressed in it can be dragged to its edge", () => {
  const held = new Held();
  held.pointerAt(-0.2, 0.5, 1);
  expect(held.take().pointer).toEqual({ x: 0, y: 0.5, buttons: 0 });
  held.pointerAt(0.5, 0.5, 1);
  held.pointerAt(1.4, 0.5, 1);
  expect(held.take().pointer).toEqual({ x: 1, y: 0.5, buttons: 1 });
});

test("a side button that leads back in a browser is none of the device's", () => {
  const held = new Held();
  held.pointerAt(0.5, 0.5, 8 | 1);
  expect(held.take().pointer?.buttons).toBe(1);
});

test("the wheel is told in whole notches, once; towards the user is negative", () => {
  const held = new Held();
  expect(held.turned(60)).toBe(false);
  expect(held.take().wheel).toBe(0);
  expect(held.turned(60)).toBe(true);
  expect(held.take().wheel).toBe(-1);
  expect(held.take().wheel).toBe(0);
  held.turned(-1_000_000);
  expect(held.take().wheel).toBe(127);
});

test("when all is let go nothing is down and nothing turned", () => {
  const held = new Held();
  held.keyDown(key("KeyA"));
  held.pointerAt(0.5, 0.5, 1);
  held.turned(300);
  held.clear();
  expect(held.isEmpty).toBe(true);
  expect(held.take()).toEqual({ keys: [], pointer: null, wheel: 0 });
});
