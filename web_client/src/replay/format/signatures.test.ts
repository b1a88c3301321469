import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fromHex, type Bytes } from "./bytes";
import { Signatures } from "./signatures";

interface Vector {
  key: string;
  message: string;
  signature: string;
}

/** RFC 8032, 7.1: tests 1 to 3. */
const VECTORS: readonly Vector[] = [
  {
    key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
];
/** The order of the group, little-endian: added to a signature's second half it is the same number, written otherwise. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const hold = ({ key, message, signature }: Vector) =>
  new Signatures().hold(`ed25519:${key}`, signature, fromHex(message));

function number(bytes: Bytes): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function written(value: bigint): string {
  const digits = value.toString(16).padStart(64, "0");
  return (digits.match(/../g) ?? []).reverse().join("");
}

describe.each(["the browser's", "the library's"])("by %s Ed25519", (whose) => {
  beforeEach(() => {
    if (whose === "the browser's") return;
    const none = new DOMException("no Ed25519 here", "NotSupportedError");
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(none);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("what was signed holds", async () => {
    for (const vector of VECTORS) expect(await hold(vector)).toBe(true);
  });

  test("a changed message, another key or another signature does not", async () => {
    for (const [at, vector] of VECTORS.entries()) {
      const next = VECTORS[(at + 1) % VECTORS.length] ?? vector;
      expect(await hold({ ...vector, message: `${vector.message}00` })).toBe(false);
      expect(await hold({ ...vector, key: next.key })).toBe(false);
      expect(await hold({ ...vector, signature: next.signature })).toBe(false);
    }
  });

  test("the same signature written in another way is none, and what cannot be one is none", async () => {
    for (const vector of VECTORS) {
      const [point, scalar] = [vector.signature.slice(0, 64), vector.signature.slice(64)];
      const other = point + written(number(fromHex(scalar)) + ORDER);
      expect(await hold({ ...vector, signature: other })).toBe(false);
      expect(await hold({ ...vector, signature: point })).toBe(false);
      expect(await hold({ ...vector, key: "ff".repeat(32) })).toBe(false);
    }
  });
});
