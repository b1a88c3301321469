/**
 * Canonical JSON of the archive format (docs/archive-format.md, "Canonical JSON"): the one spelling of a value, so that
 * a signature covers meaning and bytes alike.
 */

// A record of itself would be circular.

export interface JsonObject {
  [key: string]: Json;
}
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** What is not canonical JSON, or no entry. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The value that `bytes` spell canonically. Throws `FormatError` for every other spelling. */
export function decode(bytes: Uint8Array): Json {
  let text: string;
  let value: Json;
  let spelled: string;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text) as Json;
    spelled = spell(value);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError("not JSON");
  }
  if (spelled !== text) throw new FormatError("not canonical JSON");
  return value;
}

/** Canonical UTF-8 bytes of a value. Throws `FormatError` for what canonical JSON cannot say. */
export function encode(value: Json): Uint8Array<ArrayBuffer> {
  return encoder.encode(spell(value));
}

function spell(value: Json): string {
  if (typeof value === "string") return spellText(value);
  if (typeof value === "number") return spellNumber(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(spell).join(",")}]`;
  return `{${Object.keys(value).sort().map(spellMember, value).join(",")}}`;
}

function spellMember(this: JsonObject, key: string): string {
  if (!isAscii(key)) throw new FormatError("a key is not ASCII text");
  return `${spellText(key)}:${spell(this[key] as Json)}`;
}

/** `JSON.stringify` escapes exactly what the format does; it would write a lone surrogate as an escape. */
function spellText(text: string): string {
  if (LONE_SURROGATE.test(text)) throw new FormatError("a string holds a lone surrogate");
  return JSON.stringify(text);
}

function spellNumber(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new FormatError("not an integer in range");
  return String(value);
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
