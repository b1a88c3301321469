import { expect, test } from "vitest";
// The real thing: the bundle has the other one in its place.
import * as real from "../../../node_modules/@scure/base/index.js";
import { base64, base64nopad, bech32 } from "./keyText";

function random(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed + 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

const lengths = Array.from({ length: 70 }, (_, length) => length);

test.each(lengths)("%i bytes are written as the library writes them, and read again", (length) => {
  const bytes = random(length, length);
  for (const [ours, theirs] of [
    [base64, real.base64],
    [base64nopad, real.base64nopad],
  ] as const) {
    expect(ours.encode(bytes)).toBe(theirs.encode(bytes));
    expect(ours.decode(ours.encode(bytes))).toEqual(bytes);
  }
  if (length > 40) return;
  const text = bech32.encodeFromBytes("AGE-SECRET-KEY-", bytes);
  expect(text).toBe(real.bech32.encodeFromBytes("AGE-SECRET-KEY-", bytes).toLowerCase());
  expect(bech32.decodeToBytes(text.toUpperCase())).toEqual({ prefix: "age-secret-key-", bytes });
});

test.each(["QQ", "QQ==\n", "QR==", "Q===", "QQ=", " QQ==", "Q Q==", "QQ==QQ==", "Q-=="])(
  "%j is not how that is written in base64",
  (text) => {
    expect(() => base64.decode(text)).toThrow();
    expect(() => real.base64.decode(text)).toThrow();
  },
);

test.each(["QQ==", "QR", "Q", "QQ\n"])("%j is not how that is written without padding", (text) => {
  expect(() => base64nopad.decode(text)).toThrow();
  expect(() => real.base64nopad.decode(text)).toThrow();
});

test("A Bech32 text with any letter changed, mixed case, or too much in it is refused", () => {
  const text = bech32.encodeFromBytes("age", random(32, 7));
  for (let at = 0; at < text.length; at += 1) {
    const wrong = text.slice(0, at) + (text[at] === "q" ? "p" : "q") + text.slice(at + 1);
    expect(() => bech32.decodeToBytes(wrong)).toThrow();
  }
  for (const wrong of [
    "",
    "1",
    "age1",
    "1qqqqqq",
    text.slice(0, 6) + text.slice(6).toUpperCase(),
    ` ${text}`,
  ]) {
    expect(() => bech32.decodeToBytes(wrong)).toThrow();
    expect(() => real.bech32.decodeToBytes(wrong)).toThrow();
  }
});
