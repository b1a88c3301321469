import { FormatError, type Json } from "./canonical";
import {
  consultation,
  count,
  custodians,
  digest,
  firstWrong,
  flag,
  integer,
  isObject,
  label,
  oneOf,
  orNull,
  reason,
  signature,
  signer,
  text,
  type Checks,
} from "./fields";
import type { Container } from "./layout";

/** The manifest's entries (docs/archive-format.md). Times ending in `_us` are microseconds. */

interface Common {
  consultation: string;
  entry: number;
  previous: string;
  at_us: number;
  signer: string;
  signature: string;
}

interface Span {
  begin_us: number;
  end_us: number;
}

interface Sealed {
  object: string;
  sha256: string;
  size: number;
}

export interface Custodian {
  custodian: string;
  recipient: string;
  offline: boolean;
}

export interface OpenEntry extends Common {
  kind: "open";
  format: string;
  epoch_us: number;
  public_key: string;
  recipients: Custodian[];
  session_key_sha256: string;
}

export interface GenerationEntry extends Common, Sealed {
  kind: "generation";
  track: string;
  generation: number;
  reason: string;
  media: "audio" | "video";
  codec: "H264" | "VP8" | "VP9" | "AV1" | "opus";
  container: Container;
  timescale: number;
  width: number;
  height: number;
  feed: string;
  input: string;
  track_id: string;
}

export interface PieceEntry extends Common, Sealed, Span {
  kind: "piece";
  track: string;
  generation: number;
  number: number;
  frames: number;
  sync: boolean;
  source: "live" | "backfill";
  clock: "capture" | "arrival";
  uncertainty_us: number;
}

export interface EventsEntry extends Common, Sealed, Span {
  kind: "events";
  number: number;
  count: number;
}

/** A file of the chat. Its name and kind are in the events. */
export interface FileEntry extends Common, Sealed {
  kind: "file";
  number: number;
  file_id: string;
}

export interface GapEntry extends Common, Span {
  kind: "gap";
  track: string | null;
  reason: string;
  discarded: number;
}

export interface CloseEntry extends Common {
  kind: "close";
  reason: string;
  end_us: number;
  objects: number;
  bytes: number;
}

export type SealedEntry = GenerationEntry | PieceEntry | EventsEntry | FileEntry;
export type Entry = OpenEntry | SealedEntry | GapEntry | CloseEntry;

const track = text(/^[a-z0-9][a-z0-9_-]{0,95}$/);
const generation = integer(0, 99_999);
const number = integer(1, 99_999_999);

const COMMON: Checks = {
  kind: label(1, 20),
  consultation,
  entry: count,
  previous: digest,
  at_us: count,
  signer,
  signature,
};
const SPAN: Checks = { begin_us: count, end_us: count };
const OBJECT: Checks = { object: label(0, 4096), sha256: digest, size: count };

const KINDS: Record<Entry["kind"], Checks> = {
  open: {
    ...COMMON,
    format: oneOf("teleconsult-archive/1"),
    epoch_us: count,
    public_key: text(/^age1[0-9a-z]{10,4000}$/),
    recipients: custodians,
    session_key_sha256: digest,
  },
  generation: {
    ...COMMON,
    ...OBJECT,
    track,
    generation,
    reason,
    media: oneOf("audio", "video"),
    codec: oneOf("H264", "VP8", "VP9", "AV1", "opus"),
    container: oneOf("mp4", "webm"),
    timescale: integer(1, 1_000_000_000),
    width: integer(0, 65_535),
    height: integer(0, 65_535),
    feed: label(0, 64),
    input: label(0, 64),
    track_id: label(0, 64),
  },
  piece: {
    ...COMMON,
    ...OBJECT,
    ...SPAN,
    track,
    generation,
    number,
    frames: count,
    sync: flag,
    source: oneOf("live", "backfill"),
    clock: oneOf("capture", "arrival"),
    uncertainty_us: count,
  },
  events: { ...COMMON, ...OBJECT, ...SPAN, number, count },
  file: { ...COMMON, ...OBJECT, number, file_id: text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/) },
  gap: { ...COMMON, ...SPAN, track: orNull(track), reason, discarded: count },
  close: { ...COMMON, reason, end_us: count, objects: count, bytes: count },
};

/** Fields → entry. Throws `FormatError` naming the first field that is wrong, missing or unknown. */
export function parseEntry(fields: Json): Entry {
  const kind = isObject(fields) ? fields["kind"] : undefined;
  if (!isObject(fields) || typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    throw new FormatError("an unknown kind of entry");
  }
  const wrong = firstWrong(fields, KINDS[kind as Entry["kind"]]);
  if (wrong !== null) throw new FormatError(`${wrong}: not as its kind wants it`);
  const { begin_us: begin, end_us: end } = fields;
  if (typeof begin === "number" && typeof end === "number" && end < begin) {
    throw new FormatError("the span ends before it begins");
  }
  return fields as unknown as Entry;
}

export function isSealed(entry: Entry): entry is SealedEntry {
  return "object" in entry;
}
