import type { Json, JsonObject } from "./canonical";

/** What a field may hold, for everything that is signed: entries, decisions, leaves of the log. */

export type Check = (value: Json | undefined) => boolean;
export type Checks = Record<string, Check>;

export const text =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === "string" && pattern.test(value);

/** Characters are counted as Python does: code points. */
export const label =
  (least: number, most: number): Check =>
  (value) => {
    const length = typeof value === "string" ? Array.from(value).length : -1;
    return length >= least && length <= most;
  };

export const integer =
  (least: number, most: number = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most;

export const oneOf =
  (...words: string[]): Check =>
  (value) =>
    typeof value === "string" && words.includes(value);

export const flag: Check = (value) => typeof value === "boolean";

export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

export const listOf =
  (least: number, most: number, checks: Checks): Check =>
  (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= most &&
    value.every((one) => isObject(one) && firstWrong(one, checks) === null);

export const count = integer(0);
export const digest = text(/^[0-9a-f]{64}$/);
export const reason = text(/^[a-z][a-z0-9_]{0,39}$/);
export const consultation = text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
export const signer = text(/^ed25519:[0-9a-f]{64}$/);
export const signature = text(/^[0-9a-f]{128}$/);
/** Who did it: an id, or a key, never a name. */
export const subject = text(/^[A-Za-z0-9][A-Za-z0-9_:.-]{0,99}$/);

export const custodians = listOf(2, 64, {
  custodian: label(1, 200),
  recipient: label(10, 4096),
  offline: flag,
});

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The first field that is wrong, missing or unknown. */
export function firstWrong(fields: JsonObject, checks: Checks): string | null {
  for (const [name, check] of Object.entries(checks)) if (!check(fields[name])) return name;
  return Object.keys(fields).find((name) => !Object.hasOwn(checks, name)) ?? null;
}
