import type { Bytes } from "./bytes";
import { encode, FormatError, type Json, type JsonObject } from "./canonical";
import {
  consultation,
  count,
  digest,
  firstWrong,
  flag,
  integer,
  isObject,
  oneOf,
  signature,
  signer,
  type Checks,
} from "./fields";
import { parseCheckpoint, parseNote, signedBy, type Checkpoint, type VerifierKey } from "./notes";
import type { Signatures } from "./signatures";

/**
 * What a browser, a box or a partner kept of what the service said (docs/archive-format.md, "Heads"). It counts only
 * when the log, or the archive's signer, has signed it: nobody can accuse with lines of their own making.
 */

/** Where an archive stood: after so many lines, this hash. */
export interface KeptHead {
  consultation: string;
  entries: number;
  head: string;
  at_us: number;
}

export interface Kept {
  heads: KeptHead[];
  checkpoints: Checkpoint[];
  /** Lines that prove nothing. */
  unusable: number;
}

const MAX_LINES = 1_000;
const MAX_LINE_CHARS = 262_144;
const HEAD: Checks = {
  kind: oneOf("head"),
  consultation,
  entries: integer(1),
  head: digest,
  at_us: count,
  final: flag,
  signer,
  signature,
};
const HEAD_DOMAIN = new TextEncoder().encode("teleconsult-archive-head/1\n");

/** `text`: lines of JSON. Never throws for what it holds. */
export async function readKept(
  text: string,
  log: VerifierKey,
  signers: ReadonlySet<string>,
  signatures: Signatures,
): Promise<Kept> {
  const kept: Kept = { heads: [], checkpoints: [], unusable: 0 };
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines.slice(-MAX_LINES)) {
    try {
      const fields = fieldsOf(line);
      const { checkpoint, head } = fields;
      if (typeof checkpoint === "string") await takeCheckpoint(kept, checkpoint, log, signatures);
      if (head !== null && head !== undefined) await takeHead(kept, head, signers, signatures);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      kept.unusable += 1;
    }
  }
  return kept;
}

function fieldsOf(line: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(line.length > MAX_LINE_CHARS ? "" : line) as Json;
  } catch {
    throw new FormatError("not JSON");
  }
  if (!isObject(value)) throw new FormatError("not an object");
  return value;
}

/** Those of other logs are passed over. */
async function takeCheckpoint(
  kept: Kept,
  text: string,
  log: VerifierKey,
  signatures: Signatures,
): Promise<void> {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== log.name) return;
  if ((await signedBy(note, log, signatures)) !== "signed") throw new FormatError("not the log's");
  kept.checkpoints.push(checkpoint);
}

async function takeHead(
  kept: Kept,
  head: Json,
  signers: ReadonlySet<string>,
  signatures: Signatures,
): Promise<void> {
  if (!isObject(head) || firstWrong(head, HEAD) !== null) throw new FormatError("not a head");
  const { signature: by, ...fields } = head;
  const { signer: key } = fields;
  const body = encode(fields);
  const message: Bytes = new Uint8Array(HEAD_DOMAIN.length + body.length);
  message.set(HEAD_DOMAIN);
  message.set(body, HEAD_DOMAIN.length);
  const named = typeof key === "string" && signers.has(key) && typeof by === "string";
  if (!named || !(await signatures.hold(key, by, message))) throw new FormatError("not the archive's");
  kept.heads.push(head as unknown as KeptHead);
}
