import { expect, test, vi } from "vitest";
import { pressDrawingKey, TOOL_KEYS } from "./keys";

const actions = () => ({
  tool: vi.fn(),
  undo: vi.fn(),
  redo: vi.fn(),
  fades: vi.fn(),
  anchor: vi.fn(),
  clearMine: vi.fn(),
  putAway: vi.fn(() => false),
});
const press = (key: string, code: string, held: Partial<Record<"shiftKey" | "ctrlKey", boolean>> = {}) => ({
  key,
  code,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...held,
});

test.each(TOOL_KEYS)("%s has the key %s, wherever that is written", (tool, letter) => {
  const does = actions();
  expect(pressDrawingKey(press("ф", `Key${letter}`), does)).toBe(true);
  expect(does.tool).toHaveBeenCalledWith(tool);
});

test("Z takes back and ⇧Z does again, with Ctrl as without", () => {
  const does = actions();
  pressDrawingKey(press("z", "KeyZ"), does);
  pressDrawingKey(press("z", "KeyZ", { ctrlKey: true }), does);
  pressDrawingKey(press("Z", "KeyZ", { shiftKey: true }), does);
  expect([does.undo.mock.calls.length, does.redo.mock.calls.length]).toEqual([2, 1]);
});

test("keys of the browser and of the room stay theirs", () => {
  const does = actions();
  for (const one of [
    press("p", "KeyP", { ctrlKey: true }),
    press("P", "KeyP", { shiftKey: true }),
    press("c", "KeyC"),
    press("Escape", "Escape"),
  ]) {
    expect(pressDrawingKey(one, does)).toBe(false);
  }
});

test("N goes on to the next thing that drawings stay with", () => {
  const does = actions();
  expect(pressDrawingKey(press("n", "KeyN"), does)).toBe(true);
  expect(does.anchor).toHaveBeenCalledOnce();
});
