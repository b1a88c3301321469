import { toHex, type Bytes } from "./bytes";
import { FormatError } from "./canonical";
import { Signatures } from "./signatures";

/** Signed notes and checkpoints of a log (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature version 1). */

const ED25519 = 1;
const COSIGNATURE = 4;
const KEY_ID_BYTES = 4;
const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;
const HASH_BYTES = 32;
const MAX_NOTE_CHARS = 65_536;
const MAX_SIGNATURES = 64;
const utf8 = new TextEncoder();

/** `<name>+<key id>+<base64(type ‖ key)>`. */
export interface VerifierKey {
  name: string;
  kind: number;
  /** Hexadecimal. */
  keyId: string;
  /** As `Signatures` names keys. */
  signer: string;
}

interface NoteSignature {
  name: string;
  keyId: string;
  data: Bytes;
}

export interface Note {
  /** What is signed; ends with a newline. */
  text: string;
  signatures: NoteSignature[];
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
}

/** Who has seen a checkpoint, and when, s since 1970. */
export interface Cosignature {
  witness: string;
  atS: number;
}

/** Throws `FormatError` for what is not base64 as it is always written. */
export function fromBase64(text: string): Bytes {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new FormatError("not base64");
  }
  if (btoa(binary) !== text) throw new FormatError("not base64");
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** Throws `FormatError`. */
export async function parseVerifierKey(text: string): Promise<VerifierKey> {
  const [name = "", keyId = "", ...rest] = text.split("+");
  const data = fromBase64(rest.join("+"));
  const kind = data[0] ?? 0;
  if (data.length !== 1 + HASH_BYTES || (kind !== ED25519 && kind !== COSIGNATURE)) {
    throw new FormatError("not an Ed25519 verifier key");
  }
  const named = utf8.encode(`${name}\n`);
  const whole = new Uint8Array([...named, ...data]);
  const id = new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).subarray(0, KEY_ID_BYTES);
  if (toHex(id) !== keyId) throw new FormatError("the key's id does not belong to it");
  return { name, kind, keyId, signer: `ed25519:${toHex(data.subarray(1))}` };
}

/** Throws `FormatError`. */
export function parseNote(note: string): Note {
  const cut = note.lastIndexOf("\n\n");
  if (note.length > MAX_NOTE_CHARS || cut <= 0 || !note.endsWith("\n"))
    throw new FormatError("not a signed note");
  const lines = note.slice(cut + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw new FormatError("not a signed note");
  return { text: note.slice(0, cut + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const [dash, name = "", encoded = "", ...more] = line.split(" ");
  const data = fromBase64(encoded);
  if (dash !== "—" || name === "" || more.length > 0 || data.length <= KEY_ID_BYTES) {
    throw new FormatError("not a note's signature line");
  }
  return { name, keyId: toHex(data.subarray(0, KEY_ID_BYTES)), data: data.slice(KEY_ID_BYTES) };
}

/** A note's text; extension lines are ignored. Throws `FormatError`. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split("\n");
  const [origin = "", size = "", root = ""] = lines;
  const whole = lines.length >= 4 && lines.at(-1) === "" && !lines.slice(0, -1).includes("");
  const number = Number(size);
  const bytes = whole ? fromBase64(root) : new Uint8Array();
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(number) || bytes.length !== HASH_BYTES) {
    throw new FormatError("not a checkpoint");
  }
  return { origin, size: number, root: bytes };
}

/** `wrong`: it bears that key's name, and not its signature: such a note is not to be used at all. */
export async function signedBy(
  note: Note,
  key: VerifierKey,
  signatures: Signatures,
): Promise<"signed" | "not" | "wrong"> {
  let found: "signed" | "not" = "not";
  for (const one of note.signatures) {
    if (key.kind !== ED25519 || one.name !== key.name || one.keyId !== key.keyId) continue;
    const holds = await signatures.hold(key.signer, toHex(one.data), utf8.encode(note.text));
    if (!holds) return "wrong";
    found = "signed";
  }
  return found;
}

/** The good cosignatures among a note's signatures. */
export async function cosignaturesOf(
  note: Note,
  witnesses: readonly VerifierKey[],
  signatures: Signatures,
): Promise<Cosignature[]> {
  const found: Cosignature[] = [];
  for (const one of note.signatures) {
    const key = witnesses.find(({ name, keyId }) => name === one.name && keyId === one.keyId);
    if (key?.kind !== COSIGNATURE || one.data.length !== TIME_BYTES + SIGNATURE_BYTES) continue;
    const { buffer, byteOffset } = one.data;
    const atS = Number(new DataView(buffer, byteOffset, TIME_BYTES).getBigUint64(0));
    const message = utf8.encode(`cosignature/v1\ntime ${atS}\n${note.text}`);
    const holds = await signatures.hold(key.signer, toHex(one.data.subarray(TIME_BYTES)), message);
    if (holds) found.push({ witness: key.name, atS });
  }
  return found;
}
