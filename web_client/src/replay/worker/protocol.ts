import type { Entry } from "../format/entries";
import type { Decided, Progress, Report, VerifyOptions } from "../format/verify";
import type { RoomEvent } from "../events";

/** What the page asks its workers, and what they answer. Keys stay in the worker: no answer holds one. */

export interface StoredKey {
  /** The public half. */
  recipient: string;
  /** Unix ms. */
  importedMs: number;
}

export interface KeyState {
  stored: StoredKey | null;
  unlocked: boolean;
}

export interface OpenedArchive {
  entries: Entry[];
  fault: { verdict: string; entry: number; reason: string } | null;
  /** The auditor's key opens it. */
  readable: boolean;
  /** Whether the auditor's key opens it; `gone`: there is no key file; `swapped`: it holds another key. */
  key: "opens" | "closed" | "gone" | "swapped";
  decided: Decided | null;
}

/** A piece that is wanted: what its entry says of it. */
export interface WantedPiece {
  track: string;
  generation: number;
  number: number;
  object: string;
  sha256: string;
  size: number;
}

export interface Calls {
  keyState: { ask: { owner: string }; answer: KeyState };
  importKey: { ask: { owner: string; identity: string; passphrase: string }; answer: KeyState };
  unlock: { ask: { owner: string; passphrase: string }; answer: KeyState };
  lock: { ask: { owner: string }; answer: KeyState };
  forget: { ask: { owner: string }; answer: KeyState };
  open: { ask: { consultation: string }; answer: OpenedArchive };
  /** A decrypted object, after its hash was compared. */
  object: { ask: { path: string; sha256: string }; answer: ArrayBuffer };
  /** Pieces that follow each other in one generation; each decrypted, or why it is not. */
  pieces: { ask: { wanted: WantedPiece[] }; answer: (ArrayBuffer | ProblemCode)[] };
  events: { ask: { path: string; sha256: string; epochUs: number }; answer: RoomEvent[] };
  verify: { ask: { consultation: string } & VerifyOptions; answer: Report };
}

export type Op = keyof Calls;

/** Why a worker could not do it; `ReplayError` on both sides. */
export type ProblemCode =
  | "insecure-page"
  | "not-an-identity"
  | "protected-identity"
  | "wrong-passphrase"
  | "no-key"
  | "locked"
  | "not-opened"
  | "wrong-key"
  | "altered"
  | "missing"
  | "refused"
  | "unreachable"
  | "aborted"
  | "failed";

export class ReplayError extends Error {
  override readonly name = "ReplayError";

  constructor(
    readonly code: ProblemCode,
    detail = "",
  ) {
    super(detail === "" ? code : `${code}: ${detail}`);
  }
}

export type ToWorker =
  | { [Name in Op]: { id: number; op: Name; ask: Calls[Name]["ask"] } }[Op]
  /** The answer to `token`; null: nobody is signed in. */
  | { id: number; op: "token"; token: string | null }
  /** What was asked under that id is no longer wanted. */
  | { id: number; op: "abort" };

export type FromWorker =
  | { id: number; answer: unknown }
  | { id: number; problem: { code: ProblemCode; detail: string } }
  | { progress: Progress }
  /** `refused`: the last one was not taken. */
  | { id: number; token: { refused: boolean } };
