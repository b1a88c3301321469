import { sameBytes } from "./bytes";
import { FormatError } from "./canonical";
import type { Entry } from "./entries";
import { readKept, type Kept } from "./kept";
import { parseLeaf, type Leaf } from "./leaves";
import { leafHash, verifyConsistency, verifyInclusion } from "./merkle";
import {
  cosignaturesOf,
  fromBase64,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signedBy,
  type Checkpoint,
  type Cosignature,
  type VerifierKey,
} from "./notes";
import type { Signatures } from "./signatures";
import { stopProblem } from "./stops";

/** Compares an archive with what the public log, and this browser, know of it (docs/archive-format.md, "Log"). */

/** As the service tells it; nothing of it is believed. */
export interface Logged {
  checkpoint: string;
  since_us: number | null;
  leaves: { index: number; leaf: string; proof: string[] }[];
}

/** Where a log can be asked. */
export interface LogSource {
  keys(): Promise<{ log: string; witnesses: string[] }>;
  about(): Promise<Logged>;
  /** A proof that it only grew between two sizes. */
  consistency(from: number, to: number): Promise<string[]>;
}

/** What is wrong, in the order of how bad it is. */
export type LogProblem =
  | "leaf_unproven"
  | "checkpoint_forged"
  | "forked"
  | "entry_differs"
  | "not_recorded"
  | "goes_on"
  | "recorded_while_stopped"
  | "stop_unfounded"
  | "log_cut"
  | "unknown_here"
  | "manifest_cut"
  | "unsigned"
  | "unavailable";

export interface LogReport {
  problem: LogProblem | null;
  /** Whose word the archive contradicts, where it does. */
  against: "log" | "kept" | null;
  origin: string;
  /** Leaves. */
  size: number;
  /** Unix µs; null: the log has no leaf about it. */
  openedUs: number | null;
  closedUs: number | null;
  /** Older than the log, by the service's word. */
  older: boolean;
  /** So many entries of the manifest are vouched for. */
  vouched: number;
  cosignatures: Cosignature[];
  /** Heads of this archive, and checkpoints, that this browser kept. */
  kept: { heads: number; checkpoints: number; unusable: number };
  /** Decisions the log knows of, by kind. */
  decided: string[];
}

interface Mark {
  entries: number;
  head: string;
  from: "log" | "kept";
}

export interface Asked {
  source: LogSource;
  signers: ReadonlySet<string>;
  /** Lines that this browser kept. */
  kept: string;
  signatures: Signatures;
}

/** What the log said before the manifest was read: an archive may grow meanwhile. */
export interface LogAnswer {
  report: LogReport;
  leaves: Leaf[];
  kept: Kept;
  sinceUs: number | null;
}

class Contradiction extends Error {
  constructor(readonly problem: LogProblem) {
    super(problem);
  }
}

/** Asks the log, checks what it says by itself, and compares it with what this browser kept. */
export async function askLog({ source, signers, kept: text, signatures }: Asked): Promise<LogAnswer> {
  const report = emptyReport();
  const answer: LogAnswer = {
    report,
    leaves: [],
    kept: { heads: [], checkpoints: [], unusable: 0 },
    sinceUs: null,
  };
  try {
    const keys = await source.keys();
    const log = await parseVerifierKey(keys.log);
    report.origin = log.name;
    const witnesses = await Promise.all(keys.witnesses.map(parseVerifierKey));
    answer.kept = await readKept(text, log, signers, signatures);
    report.kept.checkpoints = answer.kept.checkpoints.length;
    report.kept.unusable = answer.kept.unusable;
    const logged = await source.about();
    const checkpoint = await checkpointOf(logged.checkpoint, log, witnesses, report, signatures);
    answer.sinceUs = logged.since_us;
    answer.leaves = await provenLeaves(logged, checkpoint);
    await compareCheckpoints(answer.kept.checkpoints, checkpoint, source);
  } catch (error) {
    if (error instanceof Contradiction) report.problem = error.problem;
    else report.problem = error instanceof FormatError ? "checkpoint_forged" : "unavailable";
  }
  return answer;
}

const emptyReport = (): LogReport => ({
  problem: null,
  against: null,
  origin: "",
  size: 0,
  openedUs: null,
  closedUs: null,
  older: false,
  vouched: 0,
  cosignatures: [],
  kept: { heads: 0, checkpoints: 0, unusable: 0 },
  decided: [],
});

async function checkpointOf(
  text: string,
  log: VerifierKey,
  witnesses: readonly VerifierKey[],
  report: LogReport,
  signatures: Signatures,
): Promise<Checkpoint> {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  const signed = await signedBy(note, log, signatures);
  if (signed === "wrong" || checkpoint.origin !== log.name) throw new Contradiction("checkpoint_forged");
  if (signed === "not") throw new Contradiction("unsigned");
  report.size = checkpoint.size;
  report.cosignatures = await cosignaturesOf(note, witnesses, signatures);
  return checkpoint;
}

async function provenLeaves(logged: Logged, { size, root }: Checkpoint): Promise<Leaf[]> {
  const found: Leaf[] = [];
  let last = -1;
  for (const { index, leaf, proof } of logged.leaves) {
    const hashed = await leafHash(new TextEncoder().encode(leaf));
    const proven = await verifyInclusion(hashed, index, size, proof.map(fromBase64), root);
    if (!proven || index <= last) throw new Contradiction("leaf_unproven");
    last = index;
    found.push(parseLeaf(leaf));
  }
  return found;
}

/** The log must be the one this browser was shown, grown. */
async function compareCheckpoints(
  kept: readonly Checkpoint[],
  now: Checkpoint,
  source: LogSource,
): Promise<void> {
  const proven = new Map<number, Checkpoint>([[now.size, now]]);
  for (const old of kept) {
    if (old.size > now.size) throw new Contradiction("log_cut");
    const known = proven.get(old.size);
    if (known !== undefined) {
      if (!sameBytes(known.root, old.root)) throw new Contradiction("forked");
      continue;
    }
    const proof = old.size === 0 ? [] : (await source.consistency(old.size, now.size)).map(fromBase64);
    const grown = await verifyConsistency(old.size, now.size, old.root, now.root, proof);
    if (!grown) throw new Contradiction("forked");
    proven.set(old.size, old);
  }
}

/** Compares the manifest's lines with every mark. `lastHash`: SHA-256 of the last line of `entries`. */
export function compareWithLog(
  { report, leaves, kept, sinceUs }: LogAnswer,
  entries: readonly Entry[],
  lastHash: string,
): LogReport {
  const [opened] = entries;
  const name = opened?.consultation ?? "";
  const own = leaves.filter((leaf) => leaf.consultation === name);
  const heads = kept.heads.filter((head) => head.consultation === name);
  const marks = [
    ...own.flatMap(markOf),
    ...heads.map(({ entries: count, head }) => ({ entries: count, head, from: "kept" as const })),
  ];
  const found: LogReport = {
    ...report,
    openedUs: own.find((leaf) => leaf.kind === "open")?.at_us ?? null,
    closedUs: own.find((leaf) => leaf.kind === "close")?.at_us ?? null,
    vouched: marks.reduce((most, mark) => Math.max(most, mark.entries), 0),
    kept: { ...report.kept, heads: heads.length },
    decided: own.flatMap((leaf) => (leaf.kind === "access" ? [leaf.access] : [])),
  };
  if (found.problem !== null || opened?.kind !== "open") return found;
  if (own.length === 0) {
    const older = sinceUs !== null && opened.epoch_us < sinceUs;
    return { ...found, older, problem: older ? null : "unknown_here" };
  }
  const wrong = contradiction(own, marks, entries, lastHash);
  return { ...found, problem: wrong?.problem ?? null, against: wrong?.against ?? null };
}

function markOf(leaf: Leaf): Mark[] {
  if (leaf.kind === "addendum" && leaf.reason !== "late_close") return []; // a manifest of its own
  if (!("head" in leaf) || leaf.head === null) return [];
  return [{ entries: leaf.entries, head: leaf.head, from: "log" }];
}

function contradiction(
  leaves: readonly Leaf[],
  marks: readonly Mark[],
  entries: readonly Entry[],
  lastHash: string,
): { problem: LogProblem; against: "log" | "kept" } | null {
  const recorded = leaves.some((leaf) => (leaf.kind === "open" || leaf.kind === "recording") && leaf.record);
  const opened = leaves.some((leaf) => leaf.kind === "open");
  if (opened && !recorded && !marks.some((mark) => mark.from === "log")) {
    return { problem: "not_recorded", against: "log" };
  }
  const hashAfter = (count: number) => (count === entries.length ? lastHash : entries[count]?.previous);
  const differs = marks.find(
    (mark) => mark.entries <= entries.length && hashAfter(mark.entries) !== mark.head,
  );
  if (differs !== undefined) return { problem: "entry_differs", against: differs.from };
  const beyond = marks.find((mark) => mark.entries > entries.length);
  if (beyond !== undefined) return { problem: "manifest_cut", against: beyond.from };
  const last = marks.findLast((mark) => mark.from === "log");
  const goesOn = leaves.some(isFinal) && last !== undefined && entries.length > last.entries;
  if (goesOn) return { problem: "goes_on", against: "log" };
  const seen = marks.reduce((most, mark) => Math.max(most, mark.entries), 0);
  const stopped = stopProblem(leaves, entries.slice(0, seen));
  return stopped === null ? null : { problem: stopped, against: "log" };
}

const isFinal = (leaf: Leaf) =>
  (leaf.kind === "head" && leaf.final) ||
  (leaf.kind === "close" && leaf.state === "final") ||
  (leaf.kind === "addendum" && leaf.reason === "late_close");
