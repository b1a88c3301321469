import { decode, FormatError, type Json } from "./canonical";
import {
  consultation,
  count,
  digest,
  firstWrong,
  flag,
  isObject,
  oneOf,
  orNull,
  reason,
  subject,
  text,
  type Checks,
} from "./fields";

/** The log's leaves (docs/archive-format.md, "Leaves"). */

/** Where a manifest stands: how many lines, and SHA-256 of the last one; null: there is no archive. */
interface Mark {
  entries: number;
  head: string | null;
}

export type Leaf = { consultation: string; at_us: number } & (
  | { kind: "open"; organisation: string; by: string; record: boolean; reason: string }
  | { kind: "recording"; by: string; record: boolean; reason: string }
  | ({ kind: "head"; final: boolean } & Mark)
  | ({ kind: "close"; state: "final" | "provisional" | "unrecorded" | "not_opened" } & Mark)
  | ({ kind: "addendum"; reason: string } & Mark)
  | { kind: "access"; access: string; by: string; second: string | null; detail: string }
);

const MAX_LEAF_CHARS = 4096;
const KIND = oneOf("open", "recording", "head", "close", "addendum", "access");
const COMMON: Checks = { kind: KIND, consultation, at_us: count };
const MARK: Checks = { ...COMMON, entries: count, head: orNull(digest) };
const KINDS: Record<Leaf["kind"], Checks> = {
  open: {
    ...COMMON,
    organisation: subject,
    by: subject,
    record: flag,
    reason: oneOf("patient_agreed", "patient_declined", "site_decided", "unknown"),
  },
  recording: {
    ...COMMON,
    by: subject,
    record: flag,
    reason: oneOf("patient_agreed", "patient_declined", "site_decided", "corrected", "unknown"),
  },
  head: { ...MARK, final: flag },
  close: { ...MARK, state: oneOf("final", "provisional", "unrecorded", "not_opened") },
  addendum: { ...MARK, reason },
  access: {
    ...COMMON,
    access: oneOf("hold", "release", "shred", "rewrap", "export"),
    by: subject,
    second: orNull(subject),
    detail: text(/^[a-z0-9_.:-]{0,64}$/),
  },
};

/** A leaf about a consultation, but for who came and looked. Throws `FormatError`. */
export function parseLeaf(spelled: string): Leaf {
  if (spelled.length > MAX_LEAF_CHARS) throw new FormatError("a leaf is too long");
  const fields: Json = decode(new TextEncoder().encode(spelled));
  const kind = isObject(fields) ? fields["kind"] : undefined;
  if (!isObject(fields) || typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    throw new FormatError("an unknown kind of leaf");
  }
  if (firstWrong(fields, KINDS[kind as Leaf["kind"]]) !== null)
    throw new FormatError("not as its kind wants it");
  const leaf = fields as unknown as Leaf;
  if ("head" in leaf && (leaf.head === null) !== (leaf.entries === 0)) {
    throw new FormatError("lines and their hash come together");
  }
  return leaf;
}
