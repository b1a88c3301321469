import type { Sex } from "../../api/types";

/**
 * The masked identity everyone sees, as `core/masking.py` makes it: 张三 → 张*, 张三丰 → 张*丰, John Smith → J* S*.
 * Both are tested against `tests/core/masking_vectors.json`. Done here as well, so that a patient's full name never
 * leaves the browser it was typed in.
 */
const STAR = "*";
const SEPARATOR = " · ";
const HAN: Record<Sex, string> = { male: "男", female: "女", other: "其他", unknown: "未知" };
const LATIN: Record<Sex, string> = { male: "M", female: "F", other: "other", unknown: "unknown" };
const MASKED = /^([^*])\*+([^*]?)$/u;
/** Scripts whose names are written without blanks between their parts. */
const SYLLABLE =
  /^[\p{Unified_Ideograph}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}]$/u;
const LETTER = /^\p{L}$/u;
const LETTER_OR_DIGIT = /^[\p{L}\p{N}]$/u;

/** At most the first and the last letter (or initial). Never the name: two letters become one and a star. */
export function maskName(name: string): string {
  const text = name.normalize("NFKC");
  const joined = Array.from(text)
    .filter((char) => isSyllable(char) || char === STAR)
    .join("");
  if (joined.replaceAll(STAR, "") !== "") return maskLetters(joined);
  const initials = text
    .split(/\s+/u)
    .map((word) => Array.from(word).find((char) => LETTER_OR_DIGIT.test(char)))
    .filter((initial) => initial !== undefined)
    .map((initial) => initial + STAR);
  return [...initials.slice(0, 1), ...initials.slice(1).slice(-1)].join(" ") || STAR;
}

/** `张*三 · 男 · 57 · US-20417`, in the language the name is written in. `age` in years. */
export function maskedHeader(name: string, sex: Sex, age: number, number: string): string {
  const masked = maskName(name);
  const sexes = hasSyllable(masked) ? HAN : LATIN;
  return [masked, sexes[sex], String(age), conceal(number, name)].join(SEPARATOR);
}

/** `text` with the full name masked wherever it is written out. */
export function conceal(text: string, name: string): string {
  const composed = name.normalize("NFC");
  const letters = Array.from(composed)
    .filter((char) => !/\s/u.test(char))
    .map(escapeForPattern);
  const masked = maskName(composed);
  if (letters.length < 2 || withoutBlanks(composed) === withoutBlanks(masked)) return text;
  const written = letters.join(String.raw`\s*`);
  // Li, but not the middle of clinic.
  const whole = hasSyllable(composed) ? written : `(?<![\\p{L}\\p{N}_])${written}(?![\\p{L}\\p{N}_])`;
  return text.normalize("NFC").replaceAll(new RegExp(whole, "giu"), () => masked);
}

function maskLetters(text: string): string {
  const [, first, last] = MASKED.exec(text) ?? [];
  if (first !== undefined) return first + STAR + (last ?? "");
  const letters = Array.from(text).filter((char) => char !== STAR);
  return (letters[0] ?? "") + STAR + (letters.length > 2 ? (letters.at(-1) ?? "") : "");
}

const isSyllable = (char: string) => SYLLABLE.test(char) && LETTER.test(char);
const hasSyllable = (text: string) => Array.from(text).some(isSyllable);
const withoutBlanks = (text: string) => text.replaceAll(/\s+/gu, "");
const escapeForPattern = (char: string) => char.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
