/**
 * Stands in for `@scure/base` in the bundle (vite.config.ts), of which `age-encryption` uses these: base64 (RFC 4648)
 * and Bech32 (BIP 173) of any length. Each thing is written in one way only; all others are refused.
 */

const binary = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

function coder(written: (bytes: Uint8Array) => string) {
  return {
    encode: written,
    decode(text: string): Uint8Array<ArrayBuffer> {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      // Browsers overlook blanks, missing padding and bits that mean nothing.
      if (written(bytes) !== text) throw new Error("not base64");
      return bytes;
    },
  };
}

export const base64 = coder((bytes) => btoa(binary(bytes)));
export const base64nopad = coder((bytes) => btoa(binary(bytes)).replace(/=+$/, ""));

const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECK_WORDS = 6;

function polymod(words: readonly number[]): number {
  let sum = 1;
  for (const word of words) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ word;
    GENERATORS.forEach((generator, bit) => {
      if ((top >>> bit) & 1) sum ^= generator;
    });
  }
  return sum;
}

const spread = (prefix: string) => {
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
};

/** Groups of `from` bits → groups of `to` bits; what is left over is padded, or must be such padding. */
function regroup(groups: Iterable<number>, from: number, to: number, pads: boolean): number[] {
  const found: number[] = [];
  let [held, bits] = [0, 0];
  for (const group of groups) {
    held = ((held << from) | group) & 0xfff;
    for (bits += from; bits >= to;) {
      bits -= to;
      found.push((held >> bits) & ((1 << to) - 1));
    }
  }
  const rest = held & ((1 << bits) - 1);
  if (pads && bits > 0) found.push(rest << (to - bits));
  if (!pads && (bits >= from || rest !== 0)) throw new Error("not Bech32");
  return found;
}

export const bech32 = {
  encodeFromBytes(prefix: string, bytes: Uint8Array): string {
    const name = prefix.toLowerCase();
    const words = regroup(bytes, 8, 5, true);
    const sum = polymod([...spread(name), ...words, ...Array<number>(CHECK_WORDS).fill(0)]) ^ 1;
    const check = Array.from({ length: CHECK_WORDS }, (_, at) => (sum >>> (5 * (CHECK_WORDS - 1 - at))) & 31);
    return `${name}1${[...words, ...check].map((word) => LETTERS.charAt(word)).join("")}`;
  },

  decodeToBytes(text: string): { prefix: string; bytes: Uint8Array<ArrayBuffer> } {
    const small = text.toLowerCase();
    const at = small.lastIndexOf("1");
    const prefix = small.slice(0, at);
    const words = Array.from(small.slice(at + 1), (letter) => LETTERS.indexOf(letter));
    const isWritten = (small === text || text.toUpperCase() === text) && at > 0 && /^[!-~]+$/.test(text);
    if (!isWritten || words.length < CHECK_WORDS || words.includes(-1)) throw new Error("not Bech32");
    if (polymod([...spread(prefix), ...words]) !== 1) throw new Error("not Bech32: a letter is wrong");
    return { prefix, bytes: Uint8Array.from(regroup(words.slice(0, -CHECK_WORDS), 5, 8, false)) };
  },
};
