import { toHex, type Bytes } from "../../replay/format/bytes";
import { decode, type JsonObject } from "../../replay/format/canonical";
import type { Logged, LogSource } from "../../replay/format/logCheck";
import { leafHash } from "../../replay/format/merkle";
import { fromBase64 } from "../../replay/format/notes";
import { linesOf } from "./lines";
import { Tree } from "./tree";

/** Of accesses, those that decided something: who came and looked is not compared. */
const DECIDED = new Set(["hold", "release", "shred", "rewrap", "export"]);
/** More would take a browser minutes. */
const MAX_LEAVES = 1_000_000;
const KEY_ID_BYTES = 4;

export interface LogFiles {
  entries: Blob;
  checkpoints: Blob;
}

export interface LogKeys {
  /** Verifier keys of the logs that are trusted. */
  logs: readonly string[];
  witnesses: readonly string[];
}

interface Newest {
  /** A signed note with the cosignatures there are. */
  note: string;
  origin: string;
  size: number;
}

/** The service's log as it lies beside the archives: it says, and proves, what its service would. */
export class LocalLog implements LogSource {
  private newest: Promise<Newest> | null = null;

  constructor(
    private readonly files: LogFiles,
    private readonly trusted: LogKeys,
    /** Whose leaves are wanted. */
    private readonly consultation: () => Promise<string>,
  ) {}

  /** The key of the log that this one says it is, of several the one that signed last: it is checked with it. */
  async keys(): Promise<{ log: string; witnesses: string[] }> {
    const { origin, note } = await this.published();
    const { logs, witnesses } = this.trusted;
    const known = logs.filter((key) => key.startsWith(`${origin}+`));
    const ids = signers(note, origin);
    return {
      log:
        known.find((key) => ids.includes(key.slice(origin.length + 1).split("+")[0] ?? "")) ??
        known[0] ??
        logs[0] ??
        "",
      witnesses: [...witnesses],
    };
  }

  async about(): Promise<Logged> {
    const { note, size } = await this.published();
    const read = await readLeaves(this.files.entries, await this.consultation(), size);
    const tree = await Tree.of(read.hashes);
    // Of a log that was cut nothing can be proven: that nothing is there is what is found.
    const shown = tree.size < size ? [] : read.leaves;
    const leaves = await Promise.all(
      shown.map(async ({ index, leaf }) => {
        const proof = await tree.inclusion(index, size);
        return { index, leaf, proof: proof.map(toBase64) };
      }),
    );
    return { checkpoint: note, since_us: read.sinceUs, leaves };
  }

  /** Only a browser that kept older checkpoints asks for it; this page keeps none. */
  consistency(): Promise<string[]> {
    return Promise.reject(new Error("nothing was kept"));
  }

  private published(): Promise<Newest> {
    this.newest ??= readNewest(this.files.checkpoints);
    return this.newest;
  }
}

/** The last checkpoint in the file, with what witnesses said of that size. */
async function readNewest(file: Blob): Promise<Newest> {
  let note = "";
  let cosigned: { size: unknown; line: string }[] = [];
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      const { kind, size, ...rest } = decode(line.subarray(0, -1)) as JsonObject;
      if (kind === "checkpoint") [note, cosigned] = [textOf(rest["note"]), []];
      if (kind === "cosignature") cosigned.push({ size: size ?? null, line: textOf(rest["line"]) });
    }
  }
  const [origin = "", written = ""] = note.split("\n");
  const size = Number(written);
  const lines = cosigned.filter((one) => one.size === size).map(({ line }) => line);
  return { note: note + lines.join(""), origin, size };
}

/** Ids of the keys that a note says have signed it under a name: eight hexadecimal digits each. */
function signers(note: string, name: string): string[] {
  const start = `— ${name} `;
  const lines = note.split("\n").filter((line) => line.startsWith(start));
  return lines.map((line) => toHex(fromBase64(line.slice(start.length)).subarray(0, KEY_ID_BYTES)));
}

interface ReadLeaves {
  hashes: Bytes[];
  leaves: { index: number; leaf: string }[];
  sinceUs: number | null;
}

/** The first `size` leaves' hashes, and those leaves that are about the consultation. */
async function readLeaves(file: Blob, consultation: string, size: number): Promise<ReadLeaves> {
  const read: ReadLeaves = { hashes: [], leaves: [], sinceUs: null };
  const wanted = `"consultation":"${consultation}"`;
  if (size > MAX_LEAVES) throw new RangeError("the log is too long to be read here");
  for await (const lines of linesOf(file)) {
    const some = lines.slice(0, size - read.hashes.length).map((line) => line.subarray(0, -1));
    for (const [at, line] of some.entries()) {
      const leaf = new TextDecoder().decode(line);
      read.sinceUs ??= firstMoment(leaf);
      if (leaf.includes(wanted) && isWanted(leaf)) read.leaves.push({ index: read.hashes.length + at, leaf });
    }
    read.hashes.push(...(await Promise.all(some.map(leafHash))));
  }
  return read;
}

function firstMoment(leaf: string): number | null {
  const { at_us: at } = JSON.parse(leaf) as { at_us?: unknown };
  return typeof at === "number" ? at : null;
}

function isWanted(leaf: string): boolean {
  const { kind, access } = JSON.parse(leaf) as { kind?: unknown; access?: unknown };
  return kind !== "access" || DECIDED.has(String(access));
}

const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const toBase64 = (bytes: Bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
