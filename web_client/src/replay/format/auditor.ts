import { decode, encode, FormatError, type JsonObject } from "./canonical";
import {
  isSealed,
  parseEntry,
  type CloseEntry,
  type Entry,
  type GenerationEntry,
  type OpenEntry,
} from "./entries";
import { eventsPath, filePath, initPath, isObjectPath, piecePath } from "./layout";

/** What verification can find; the names are those of docs/archive-format.md, "Verifying". */
export type Verdict = "intact" | "altered" | "truncated" | "missing" | "unverifiable" | "shredded";

/** The archive is not what was written. `entry`: number of the first bad one; `path`: of the object concerned. */
export class ArchiveFault extends Error {
  override readonly name = "ArchiveFault";

  constructor(
    readonly verdict: Verdict,
    readonly entry: number,
    readonly reason: string,
    readonly path: string | null = null,
  ) {
    super(`entry ${entry}: ${reason}`);
  }
}

export const MAX_LINE_BYTES = 1 << 20;
const LF = 0x0a;
const NO_PREVIOUS = "0".repeat(64);
const DOMAIN = new TextEncoder().encode("teleconsult-archive-entry/1\n");

/** A line's entry and the message its signature is over. */
export interface ReadLine {
  entry: Entry;
  message: Uint8Array<ArrayBuffer>;
}

/** One whole line, its newline included. Throws `FormatError`. */
export function readLine(line: Uint8Array): ReadLine {
  if (line.at(-1) !== LF || line.length > MAX_LINE_BYTES) throw new FormatError("not a whole line");
  const fields = decode(line.subarray(0, -1));
  const entry = parseEntry(fields);
  const signed = { ...(fields as JsonObject) };
  delete signed["signature"];
  const body = encode(signed);
  const message = new Uint8Array(DOMAIN.length + body.length);
  message.set(DOMAIN);
  message.set(body, DOMAIN.length);
  return { entry, message };
}

/**
 * Reads a manifest line by line and says where, and how, it stops being what its signer wrote. It knows nothing of
 * hashes of lines, signatures and files: whoever feeds it computes the first two and compares objects.
 */
export class ManifestAuditor {
  opened: OpenEntry | null = null;
  closed: CloseEntry | null = null;
  untrustedSigner: string | null = null;
  nextEntry = 0;
  endUs = 0;
  objectBytes = 0;
  events = 0;
  readonly generations = new Map<string, GenerationEntry[]>();
  readonly pieces = new Map<string, number>();
  readonly paths = new Set<string>();
  /** Ids of the files there are. */
  readonly files = new Set<string>();
  private previous = NO_PREVIOUS;
  private trusted: ReadonlySet<string>;

  constructor(trusted: Iterable<string>) {
    this.trusted = new Set(trusted);
  }

  /** SHA-256 of the last good line. */
  get lastHash(): string {
    return this.previous;
  }

  /** Trusted ones; the archive's own when it is checked against itself. */
  get signers(): ReadonlySet<string> {
    return this.trusted;
  }

  /** `sha256`: of the whole line; `signed`: its signature holds. Throws `ArchiveFault` (altered). */
  feed(entry: Entry, sha256: string, signed: boolean): void {
    this.checkPosition(entry);
    if (!signed) this.fail("its signature is wrong");
    this.checkMeaning(entry);
    this.previous = sha256;
    this.nextEntry += 1;
  }

  altered(reason: string): ArchiveFault {
    return new ArchiveFault("altered", this.nextEntry, reason);
  }

  /** Files that no entry names. An open archive may have one: the object a recorder is just adding. */
  checkUnentered(extra: readonly string[]): void {
    const [first] = extra;
    if (first === undefined) return;
    const strange = extra.find((path) => this.closed !== null || !isObjectPath(path));
    if (strange !== undefined) {
      throw new ArchiveFault("altered", this.nextEntry, "a file no entry names", strange);
    }
    if (extra.length > 1) {
      const reason = `the manifest ends here, but ${extra.length} later objects exist`;
      throw new ArchiveFault("truncated", this.nextEntry, reason, first);
    }
    if (!this.couldBeNext(first)) {
      throw new ArchiveFault("altered", this.nextEntry, "a file no entry names", first);
    }
  }

  private couldBeNext(path: string): boolean {
    if (path === eventsPath(this.events + 1) || path === filePath(this.files.size + 1)) return true;
    const [top, track = "", generation = "", name = ""] = path.split("/");
    if (top !== "tracks") return false;
    const known = this.generations.get(track) ?? [];
    if (name.startsWith("init.")) return Number(generation) === known.length;
    const of = known[Number(generation)];
    const last = this.pieces.get(`${track}/${Number(generation)}`);
    if (of === undefined || last === undefined) return false;
    return path === piecePath(track, of.generation, last + 1, of.container);
  }

  private checkPosition(entry: Entry): void {
    if (entry.entry !== this.nextEntry) this.fail(`entry ${entry.entry} stands in its place`);
    if (entry.previous !== this.previous) this.fail("it does not follow the line before it");
    if (this.closed !== null) this.fail("it follows the closing entry");
    if ((this.opened === null) !== (entry.kind === "open")) {
      this.fail(`an entry of kind ${entry.kind} cannot stand here`);
    }
    if (this.opened !== null && entry.consultation !== this.opened.consultation) {
      this.fail("it belongs to another consultation");
    }
    this.checkSigner(entry);
  }

  /** An archive whose first signer is not trusted is still checked against itself. */
  private checkSigner(entry: Entry): void {
    if (this.trusted.has(entry.signer)) return;
    if (this.opened !== null) this.fail("it is signed by a key that is not trusted");
    this.untrustedSigner = entry.signer;
    this.trusted = new Set([entry.signer]);
  }

  private checkMeaning(entry: Entry): void {
    if (entry.kind === "open") this.opened = entry;
    else if (entry.kind === "close") this.close(entry);
    else if (isSealed(entry)) this.addObject(entry.object, entry.size, this.pathOf(entry));
    if (entry.kind === "piece" || entry.kind === "events") this.endUs = Math.max(this.endUs, entry.end_us);
  }

  private pathOf(entry: Extract<Entry, { object: string }>): string {
    if (entry.kind === "events") {
      this.events += 1;
      this.expect(entry.number === this.events, "its number does not follow");
      return eventsPath(entry.number);
    }
    if (entry.kind === "file") {
      this.expect(!this.files.has(entry.file_id), "its file is there already");
      this.files.add(entry.file_id);
      this.expect(entry.number === this.files.size, "its number does not follow");
      return filePath(entry.number);
    }
    if (entry.kind === "generation") {
      const known = this.generations.get(entry.track) ?? [];
      this.expect(entry.generation === known.length, "its generation does not follow");
      this.generations.set(entry.track, [...known, entry]);
      this.pieces.set(`${entry.track}/${entry.generation}`, 0);
      return initPath(entry.track, entry.generation, entry.container);
    }
    const key = `${entry.track}/${entry.generation}`;
    const last = this.pieces.get(key);
    const generation = this.generations.get(entry.track)?.[entry.generation];
    if (last === undefined || generation === undefined) throw this.altered("its generation was never begun");
    this.expect(entry.number === last + 1, "its number does not follow");
    this.pieces.set(key, entry.number);
    return piecePath(entry.track, entry.generation, entry.number, generation.container);
  }

  private addObject(object: string, size: number, path: string): void {
    this.expect(object === path, "its object's path is not its own");
    this.paths.add(path);
    this.objectBytes += size;
  }

  private close(entry: CloseEntry): void {
    const right = entry.objects === this.paths.size && entry.bytes === this.objectBytes;
    this.expect(right, "its totals are wrong");
    this.closed = entry;
  }

  private expect(holds: boolean, reason: string): void {
    if (!holds) this.fail(reason);
  }

  private fail(reason: string): never {
    throw this.altered(reason);
  }
}
