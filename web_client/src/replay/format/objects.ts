import { ArchiveFault } from "./auditor";
import { sha256, type Bytes } from "./bytes";
import type { Ledger } from "./decisions";
import { isSealed, type Entry, type PieceEntry, type SealedEntry } from "./entries";

/** Compares every object with its entry. */

/** Where objects are. `null`: there is no such file. */
export interface Objects {
  key(): Promise<Bytes | null>;
  /** As it is now, not from a cache. */
  object(path: string): Promise<Bytes | null>;
  /** Pieces `first` to `last` of a generation one after the other, or as many of them as come at once. */
  run?(
    track: string,
    generation: number,
    first: number,
    last: number,
    stop: AbortSignal,
    fresh?: boolean,
  ): Promise<Bytes>;
}

export interface Progress {
  done: number;
  total: number;
  doneBytes: number;
  totalBytes: number;
}

export const SESSION_KEY = "session.key.age";
const FETCHED_AHEAD = 6;
const RUN_PIECES = 16;

/** What was found besides faults. */
export interface Compared {
  bytes: number;
  /** SHA-256 of `session.key.age`; null: it is not there. */
  keyHash: string | null;
}

export class ObjectComparison {
  readonly found: Compared = { bytes: 0, keyHash: null };
  private readonly runs: Runs;

  /** `ledger`: what was decided later, and is to be expected therefore. */
  constructor(
    private readonly objects: Objects,
    private readonly entries: readonly Entry[],
    private readonly ledger: Ledger | null,
    private readonly stop: AbortSignal,
  ) {
    this.runs = new Runs(objects, entries, stop);
  }

  /** Of the key alone. Throws `ArchiveFault`. */
  async compareKey(): Promise<void> {
    const [first] = this.entries;
    if (first?.kind !== "open") return;
    const fault = await this.compareOne(first);
    if (fault instanceof ArchiveFault) throw fault;
  }

  /** Of everything. The fault with the lowest entry number is the one thrown. */
  async compareAll(onProgress: (progress: Progress) => void): Promise<void> {
    const wanted = this.entries.filter((entry) => isSealed(entry));
    const totalBytes = wanted.reduce((sum, entry) => sum + entry.size, 0);
    const ahead: Promise<ArchiveFault | number>[] = [];
    let next = 0;
    for (let done = 0; done < wanted.length; done += 1) {
      for (const entry of wanted.slice(next, done + FETCHED_AHEAD)) {
        const comparing = this.compareOne(entry);
        comparing.catch(() => undefined); // told when it is its turn
        ahead.push(comparing);
        next += 1;
      }
      const found = await ahead.shift();
      this.stop.throwIfAborted();
      if (found instanceof ArchiveFault) throw found;
      this.found.bytes += found ?? 0;
      onProgress({ done: done + 1, total: wanted.length, doneBytes: this.found.bytes, totalBytes });
    }
  }

  private async compareOne(entry: Entry): Promise<ArchiveFault | number> {
    const path = isSealed(entry) ? entry.object : SESSION_KEY;
    const bytes = await this.bytesOf(entry);
    if (bytes === null) {
      const missing = new ArchiveFault("missing", entry.entry, "its object is missing", path);
      return this.mayBeGone(entry) ? 0 : missing;
    }
    const hash = await sha256(bytes);
    if (entry.kind === "open") this.found.keyHash = hash;
    if (!this.matches(entry, hash, bytes.length)) {
      return new ArchiveFault("altered", entry.entry, "its object was altered", path);
    }
    return isSealed(entry) ? bytes.length : 0;
  }

  private bytesOf(entry: Entry): Promise<Bytes | null> {
    if (entry.kind === "piece") return this.runs.bytesOf(entry);
    return isSealed(entry) ? this.objects.object(entry.object) : this.objects.key();
  }

  /** Destroyed by a decision. */
  private mayBeGone(entry: Entry): boolean {
    const shredded = this.ledger?.shredded ?? null;
    return shredded !== null && (entry.kind === "open" || shredded.objects === "removed");
  }

  private matches(entry: Entry, hash: string, size: number): boolean {
    if (isSealed(entry)) return entry.sha256 === hash && entry.size === size;
    if (entry.kind !== "open") return true;
    return this.ledger?.wrappings.includes(hash) ?? entry.session_key_sha256 === hash;
  }
}

/** Reads pieces many at a time, where the folder can do that: a request for each would cost more than its bytes. */
class Runs {
  private readonly next = new Map<PieceEntry, PieceEntry>();
  private readonly fetched = new Map<string, Promise<Bytes | null>>();

  constructor(
    private readonly objects: Objects,
    entries: readonly Entry[],
    private readonly stop: AbortSignal,
  ) {
    const last = new Map<string, PieceEntry>();
    for (const entry of entries) {
      if (entry.kind !== "piece") continue;
      const before = last.get(entry.track);
      if (before?.generation === entry.generation && before.number + 1 === entry.number) {
        this.next.set(before, entry);
      }
      last.set(entry.track, entry);
    }
  }

  async bytesOf(piece: PieceEntry): Promise<Bytes | null> {
    if (!this.fetched.has(piece.object)) this.fetch(piece);
    const found = await this.fetched.get(piece.object);
    this.fetched.delete(piece.object);
    return found ?? this.objects.object(piece.object);
  }

  private fetch(first: PieceEntry): void {
    const pieces: PieceEntry[] = [];
    let piece: PieceEntry | undefined = first;
    for (; piece !== undefined && pieces.length < RUN_PIECES; piece = this.next.get(piece))
      pieces.push(piece);
    const last = pieces.at(-1) ?? first;
    const { track, generation, number } = first;
    if (this.objects.run === undefined || last === first) return;
    const run = this.objects.run(track, generation, number, last.number, this.stop, true);
    const split = run.then((bytes) => splitRun(bytes, pieces));
    for (const [at, { object }] of pieces.entries()) {
      const one = split.then((found) => found[at] ?? null);
      one.catch(() => undefined); // told when it is its turn
      this.fetched.set(object, one);
    }
  }
}

/** The pieces in a run, by the sizes their entries say; the part of one at its end is none. */
export function splitRun(bytes: Bytes, wanted: readonly Pick<SealedEntry, "size">[]): Bytes[] {
  const found: Bytes[] = [];
  let begin = 0;
  for (const { size } of wanted) {
    if (begin + size > bytes.length) break;
    found.push(bytes.subarray(begin, begin + size));
    begin += size;
  }
  return found;
}
