import { expect, test } from "vitest";
// The real thing: the bundle has the other one in its place.
import { x25519 as real } from "../../../node_modules/@noble/curves/ed25519.js";
import { fromHex, toHex } from "../format/bytes";
import { x25519 } from "./onlyX25519";

/** RFC 7748, 5.2: scalar, place, result. */
const VECTORS = [
  [
    "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  ],
  [
    "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
  ],
] as const;

test("a secret times a place is what RFC 7748 says", () => {
  for (const [scalar, place, result] of VECTORS) {
    expect(toHex(x25519.scalarMult(fromHex(scalar), fromHex(place)))).toBe(result);
  }
});

test("it says what the whole library says, of public halves, too", () => {
  for (let round = 0; round < 8; round += 1) {
    const [one, other] = [
      crypto.getRandomValues(new Uint8Array(32)),
      crypto.getRandomValues(new Uint8Array(32)),
    ];
    const half = x25519.scalarMultBase(one);
    expect(half).toEqual(real.scalarMultBase(one));
    expect(x25519.scalarMult(other, half)).toEqual(real.scalarMult(other, half));
  }
});

test("a place that gives the same secret to everybody is refused", () => {
  expect(() => x25519.scalarMult(new Uint8Array(32).fill(9), new Uint8Array(32))).toThrow();
});
