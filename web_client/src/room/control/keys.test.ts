import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CODES, isKey, isModifier, KEYS_MAX } from "./keys";

const server = readFileSync(new URL("../../../../core/control.py", import.meta.url), "utf8");

test("the keys are those that the server knows, to the letter", () => {
  const [, block = ""] = /_CODES: Final = re\.compile\(\n([\s\S]*?)\n\)/.exec(server) ?? [];
  const pattern = [...block.matchAll(/r"([^"]*)"/g)].map(([, part]) => part).join("");
  expect(pattern).toContain("Key[A-Z]");
  expect(CODES.source).toBe(`^(?:${pattern})$`);
  expect(server).toContain(`KEYS_MAX: Final = ${KEYS_MAX}\n`);
});

test.each(["KeyA", "Digit0", "F24", "NumpadEnter", "MetaRight", "IntlBackslash", "Pause"])(
  "%s can be pressed",
  (code) => {
    expect(isKey(code)).toBe(true);
  },
);

// What a keyboard on glass sends, a key that switches the computer off, and what no keyboard has.
test.each(["", "Unidentified", "Power", "F25", "Keya", "KeyAB", "Escape\n", "AudioVolumeUp"])(
  "%j cannot",
  (code) => {
    expect(isKey(code)).toBe(false);
  },
);

test("modifiers are those on both sides, and nothing else", () => {
  expect(["ShiftLeft", "ControlRight", "AltRight", "MetaLeft"].every(isModifier)).toBe(true);
  expect(["CapsLock", "KeyA", "Shift"].some(isModifier)).toBe(false);
});
