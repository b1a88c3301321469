import { ArchiveFault, type Verdict } from "./auditor";
import type { Bytes } from "./bytes";
import { firstInPause, undeclaredHoles, type Hole } from "./continuity";
import { Ledger } from "./decisions";
import { isSealed, type Custodian, type Entry } from "./entries";
import { askLog, compareWithLog, type LogProblem, type LogReport, type LogSource } from "./logCheck";
import { readManifest, type ReadManifest } from "./manifest";
import { ObjectComparison, SESSION_KEY, type Objects, type Progress } from "./objects";
import { Signatures } from "./signatures";

export { readManifest } from "./manifest";
export type { Progress } from "./objects";

/** A consultation's folder, wherever it is. `null`: there is no such file. */
export interface Folder extends Objects {
  manifest(): Promise<Bytes | null>;
  closing(): Promise<Bytes | null>;
  beside(): Promise<Beside>;
  /** The consultation it must be of. */
  readonly consultation?: string;
  /** What people decided later; where it cannot be had, nothing is claimed about what a decision may have changed. */
  decisions?(): Promise<Bytes | null>;
  /** Keys of people whose personal signatures count. */
  people?(): Promise<string[]>;
  readonly log?: LogSource;
}

/** What lies beside what the manifest names. */
export interface Beside {
  /** Objects that no entry names. */
  unentered: string[];
  /** People decided something about the archive later. */
  decided: boolean;
  /** What those who decided are called, as far as they are known. */
  deciders?: Person[];
}

/** Somebody who decided. `name`: not proven, and null when it is not known. */
export interface Person {
  subject: string;
  name: string | null;
}

/** What people decided, as far as it changes what is to be found. */
export interface Decided {
  count: number;
  holds: string[];
  shredded: {
    atUs: number;
    by: Person[];
    policy: string | null;
    objectsRemoved: boolean;
    reason: string;
  } | null;
  rewrapped: { atUs: number; by: Person[]; custodians: Custodian[] } | null;
  /** The key is as the last decision left it. */
  keyAsDecided: boolean;
}

export interface Report {
  verdict: Verdict;
  /** The consultation goes on; vouched for as far as written. */
  open: boolean;
  entries: number;
  objects: number;
  pieces: number;
  /** Bytes of objects that were read and compared. */
  bytes: number;
  /** Of all objects, by their entries. */
  totalBytes: number;
  /** False: there was more than was to be compared without being asked. */
  compared: boolean;
  gaps: number;
  holes: Hole[];
  signer: string | null;
  decided: Decided | null;
  log: LogReport | null;
  fault: { entry: number; reason: string; path: string | null } | null;
  /** Unix ms. */
  atMs: number;
}

export interface VerifyOptions {
  /** Lines that this browser kept of what it was told. */
  kept?: string;
  /** Objects that are more than this all together are not compared. */
  upToBytes?: number;
}

const LOG_VERDICTS: Record<LogProblem, Verdict> = {
  leaf_unproven: "altered",
  checkpoint_forged: "altered",
  forked: "altered",
  entry_differs: "altered",
  not_recorded: "altered",
  goes_on: "altered",
  recorded_while_stopped: "altered",
  stop_unfounded: "missing",
  log_cut: "truncated",
  unknown_here: "truncated",
  manifest_cut: "truncated",
  unsigned: "unverifiable",
  unavailable: "intact", // it accuses nobody; that nothing was compared is told
};
/** The gravest first. */
const GRAVITY: readonly Verdict[] = ["altered", "truncated", "missing", "unverifiable", "shredded", "intact"];

const graver = (one: Verdict, other: Verdict) =>
  GRAVITY.indexOf(one) <= GRAVITY.indexOf(other) ? one : other;

/**
 * Everything: chain, signatures, decisions, the log, then every object's hash. `onProgress` after each object; `stop`
 * ends it early.
 */
export async function verifyFolder(
  folder: Folder,
  trusted: readonly string[],
  onProgress: (progress: Progress) => void,
  stop: AbortSignal,
  options: VerifyOptions = {},
): Promise<Report> {
  const beside = await folder.beside(); // before the manifest: a recorder may be adding both
  const signatures = new Signatures();
  const asked = { signers: new Set(trusted), kept: options.kept ?? "", signatures };
  const logged = folder.log === undefined ? null : await askLog({ ...asked, source: folder.log }); // the same
  const closing = await folder.closing();
  const read = await readManifest(await folder.manifest(), closing, trusted);
  const checked = new Check(folder, read, beside, signatures, stop, options.upToBytes);
  const fault = await checked.run(onProgress);
  const log = logged && compareWithLog(logged, read.entries, read.audit.lastHash);
  return checked.report(fault, log);
}

/** One reading of one consultation. */
class Check {
  private ledger: Ledger | null = null;
  private comparison: ObjectComparison;
  private readonly totalBytes: number;
  private readonly compared: boolean;

  constructor(
    private readonly folder: Folder,
    private readonly read: ReadManifest,
    private readonly beside: Beside,
    private readonly signatures: Signatures,
    private readonly stop: AbortSignal,
    upToBytes = Number.POSITIVE_INFINITY,
  ) {
    const sealed = read.entries.filter((entry) => isSealed(entry));
    this.totalBytes = sealed.reduce((sum, entry) => sum + entry.size, 0);
    this.compared = this.totalBytes <= upToBytes;
    this.comparison = new ObjectComparison(folder, read.entries, null, stop);
  }

  /** The first fault there is. */
  async run(onProgress: (progress: Progress) => void): Promise<ArchiveFault | null> {
    const { read, folder } = this;
    try {
      this.checkName();
      this.ledger = this.beside.decided ? await readLedger(folder, read, this.signatures) : null;
      this.comparison = new ObjectComparison(folder, read.entries, this.ledger, this.stop);
      await this.comparison.compareKey();
      if (this.compared) await this.comparison.compareAll(onProgress);
      checkPauses(read.entries);
      if (read.fault === null) {
        read.audit.checkUnentered(this.beside.unentered.filter((path) => !read.audit.paths.has(path)));
      }
      return read.fault;
    } catch (error) {
      if (!(error instanceof ArchiveFault)) throw error;
      const explained = this.beside.decided && folder.decisions === undefined;
      return explained ? afterDecision(error) : error;
    }
  }

  /** In an archive's root the folder's name is the consultation's id. */
  private checkName(): void {
    const { consultation } = this.folder;
    const opened = this.read.audit.opened;
    if (opened === null || consultation === undefined || opened.consultation === consultation) return;
    throw new ArchiveFault("altered", 0, "it is the archive of another consultation");
  }

  report(found: ArchiveFault | null, log: LogReport | null): Report {
    const { audit, entries } = this.read;
    const holes = undeclaredHoles(entries);
    const fault = found ?? this.judge(holes);
    const own = fault?.verdict ?? (this.ledger?.shredded ? "shredded" : "intact");
    return {
      verdict: log?.problem ? graver(LOG_VERDICTS[log.problem], own) : own,
      open: audit.opened !== null && audit.closed === null && found === null,
      entries: entries.length,
      objects: audit.paths.size,
      pieces: entries.filter((entry) => entry.kind === "piece").length,
      bytes: this.comparison.found.bytes,
      totalBytes: this.totalBytes,
      compared: this.compared,
      gaps: entries.filter((entry) => entry.kind === "gap").length,
      holes,
      signer: audit.opened?.signer ?? null,
      decided: this.ledger && decidedOf(this.ledger, this.comparison.found.keyHash, this.beside.deciders),
      log,
      fault: fault && { entry: fault.entry, reason: fault.reason, path: fault.path },
      atMs: Date.now(),
    };
  }

  /** Nothing was altered; what else is to be said? A closed archive says of all that is missing why. */
  private judge([hole]: readonly Hole[]): ArchiveFault | null {
    const { audit } = this.read;
    if (audit.closed !== null && hole !== undefined) {
      const missing = ((hole.endUs - hole.beginUs) / 1_000_000).toFixed(1);
      const reason = `before it, ${missing} s of ${hole.track} are missing, and no gap says why`;
      return new ArchiveFault("missing", hole.entry, reason);
    }
    if (audit.untrustedSigner !== null) {
      return new ArchiveFault("unverifiable", 0, "its signer is not trusted");
    }
    const stranger = this.ledger?.unknownPerson ?? null;
    if (stranger === null) return null;
    const reason = `${stranger}, who approved a decision, is not among the registered people`;
    return new ArchiveFault("unverifiable", 0, reason, "decisions.jsonl");
  }
}

/** What was decided; null where there are no decisions. Throws `ArchiveFault`. */
export async function readLedger(
  folder: Folder,
  { audit, entries }: ReadManifest,
  signatures: Signatures,
): Promise<Ledger | null> {
  const bytes = await folder.decisions?.();
  if (audit.opened === null || bytes === null || bytes === undefined) return null;
  const anchor = entries[1]?.previous ?? audit.lastHash;
  const people = new Set((await folder.people?.()) ?? []);
  return new Ledger(audit.opened, anchor, audit.signers, people, signatures).read(bytes);
}

/** `keyHash`: SHA-256 of `session.key.age`; null: there is none. */
export function decidedOf(
  ledger: Ledger,
  keyHash: string | null,
  deciders: readonly Person[] = [],
): Decided | null {
  const { shredded, decisions } = ledger;
  if (decisions.length === 0) return null;
  const rewrap = decisions.findLast((one) => one.kind === "rewrap");
  const personOf = (subject: string) => deciders.find((one) => one.subject === subject);
  const by = ({ approvals }: { approvals: { by: string }[] }) =>
    approvals.map((one) => personOf(one.by) ?? { subject: one.by, name: null });
  return {
    count: decisions.length,
    holds: [...ledger.holds].sort(),
    shredded: shredded && {
      atUs: shredded.at_us,
      by: by(shredded),
      policy: shredded.policy,
      objectsRemoved: shredded.objects === "removed",
      reason: shredded.reason,
    },
    rewrapped:
      rewrap === undefined ? null : { atUs: rewrap.at_us, by: by(rewrap), custodians: rewrap.recipients },
    keyAsDecided: keyHash === (shredded === null ? ledger.wrappings.at(-1) : null),
  };
}

/** Where decisions cannot be read, it is only said that there are some. */
function afterDecision(fault: ArchiveFault): ArchiveFault {
  const about = fault.path === SESSION_KEY || fault.verdict === "missing";
  if (!about) return fault;
  const reason = "people decided about this archive later; check it with `teleconsult archive verify`";
  return new ArchiveFault("unverifiable", fault.entry, reason, fault.path);
}

/** No piece may lie in a privacy pause of its track, by more than its times may be off. Throws `ArchiveFault`. */
function checkPauses(entries: readonly Entry[]): void {
  const piece = firstInPause(entries);
  if (piece === null) return;
  throw new ArchiveFault("altered", piece.entry, "its piece lies in a privacy pause", piece.object);
}
