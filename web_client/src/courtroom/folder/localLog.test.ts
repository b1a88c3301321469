import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../replay/format/bytes";
import { askLog } from "../../replay/format/logCheck";
import { Signatures } from "../../replay/format/signatures";
import { linesOf } from "./lines";
import { LocalLog } from "./localLog";
import { Tree } from "./tree";

interface Vectors {
  log_key: string;
  witness_key: string;
  leaf_hashes: string[];
  roots: string[];
  inclusion: { index: number; size: number; proof: string[] }[];
}

const FOLDER = new URL("../../../../tests/vectors/log/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, FOLDER), "utf8");
const vectors = JSON.parse(read("vectors.json")) as Vectors;
const leaves = vectors.leaf_hashes.map(fromHex);
const CONSULTATION = "c_01k9zzzzzzzzzzzzzzzzzzzzzz";
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

function logOf(entries: string, keys = [vectors.log_key]) {
  const files = { entries: new Blob([entries]), checkpoints: new Blob([read("checkpoints.jsonl")]) };
  const trusted = { logs: keys, witnesses: [vectors.witness_key] };
  return new LocalLog(files, trusted, () => Promise.resolve(CONSULTATION));
}

const ask = (source: LocalLog) =>
  askLog({ source, signers: new Set(), kept: "", signatures: new Signatures() });

describe("a tree that proves by itself", () => {
  it("has the roots of the vectors", async () => {
    for (const [size, root] of vectors.roots.entries()) {
      if (size > 0) expect(toHex(await (await Tree.of(leaves)).root(0, size))).toBe(root);
    }
  });

  it("gives the vectors' proofs", async () => {
    const tree = await Tree.of(leaves);
    for (const { index, size, proof } of vectors.inclusion) {
      expect((await tree.inclusion(index, size)).map(base64)).toEqual(proof);
    }
  });
});

describe("a log beside the archives", () => {
  it("says what its service would, and it holds", async () => {
    const { report, leaves: found } = await ask(logOf(read("entries.jsonl")));
    expect(report).toMatchObject({ problem: null, origin: "archive.example.org/log", size: leaves.length });
    expect(report.cosignatures.map(({ witness }) => witness)).toEqual(["witness.example.net/w1"]);
    expect(found.length).toBeGreaterThan(2);
    expect(found.every(({ consultation }) => consultation === CONSULTATION)).toBe(true);
  });

  it("is checked with the key that signed last, when its key was replaced", async () => {
    const rotated = new URL("../log-rotated/", FOLDER);
    const file = (name: string) => readFileSync(new URL(name, rotated), "utf8");
    const { keys } = JSON.parse(file("vectors.json")) as { keys: string[] };
    const files = {
      entries: new Blob([file("entries.jsonl")]),
      checkpoints: new Blob([file("checkpoints.jsonl")]),
    };
    const source = new LocalLog(files, { logs: keys, witnesses: [] }, () => Promise.resolve(CONSULTATION));
    expect((await source.keys()).log).toBe(keys[2]);
    expect((await ask(source)).report).toMatchObject({ problem: null, size: 5 });
  });

  it("proves nothing once a leaf was changed", async () => {
    const changed = read("entries.jsonl").replace('"by":"u_2"', '"by":"u_3"');
    expect(changed).not.toBe(read("entries.jsonl"));
    expect((await ask(logOf(changed))).report.problem).toBe("leaf_unproven");
  });

  it("has nothing to say once it was cut", async () => {
    const { report, leaves: found } = await ask(
      logOf(read("entries.jsonl").split("\n").slice(0, 5).join("\n")),
    );
    expect(report.problem).toBeNull();
    expect(found).toEqual([]); // which the comparison then calls truncated
  });

  it("is not believed under another key", async () => {
    const other = vectors.log_key.replace("archive.example.org/log", "other.example.org/log");
    expect((await ask(logOf(read("entries.jsonl"), [other]))).report.problem).not.toBeNull();
  });
});

describe("lines of a large file", () => {
  it("are whole, wherever it is read in parts", async () => {
    const line = `${"x".repeat(3_000_000)}\n`;
    const sizes: number[] = [];
    for await (const lines of linesOf(new Blob([line, line, line, "torn"]))) {
      sizes.push(...lines.map(({ length }) => length));
    }
    expect(sizes).toEqual([line.length, line.length, line.length]);
  });
});
