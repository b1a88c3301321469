import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FixtureFolder, LOG, logOf, SIGNER } from "../fixtures/archive";
import { fromHex } from "./bytes";
import type { LogSource } from "./logCheck";
import { fromBase64 } from "./notes";
import { verifyConsistency, verifyInclusion } from "./merkle";
import { verifyFolder, type Report } from "./verify";

async function verify(log: LogSource, kept = "", folder = new FixtureFolder("closed")): Promise<Report> {
  folder.log = log;
  return verifyFolder(folder, [SIGNER], () => undefined, new AbortController().signal, { kept });
}

const logged = (change: (found: typeof LOG.logged) => void) => {
  const found = structuredClone(LOG.logged);
  change(found);
  return logOf({ about: () => Promise.resolve(found) });
};

describe("an archive and the public log", () => {
  it("agree, and it is said since when, up to where, and which witnesses signed too", async () => {
    const found = await verify(logOf(), LOG.kept);
    expect(found).toMatchObject({ verdict: "intact", log: { problem: null, older: false } });
    expect(found.log?.vouched).toBe(found.entries);
    expect(found.log?.cosignatures).toEqual([{ witness: "witness.example.net/w1", atS: 1_760_000_000 }]);
    expect(found.log?.kept).toEqual({ heads: 1, checkpoints: 1, unusable: 0 });
    expect(found.log?.decided).toEqual(["hold"]);
  });

  it("differ when a leaf is not in the log that was signed", async () => {
    const changed = logged(({ leaves: [first] }) => {
      if (first !== undefined) first.leaf = first.leaf.replace("patient_agreed", "site_decided");
    });
    expect(await verify(changed)).toMatchObject({ verdict: "altered", log: { problem: "leaf_unproven" } });
    const moved = logged(({ leaves: [first] }) => {
      if (first !== undefined) first.index += 1;
    });
    expect(await verify(moved)).toMatchObject({ log: { problem: "leaf_unproven" } });
  });

  it("differ when the checkpoint is not what the log's key signed", async () => {
    const forged = logged((found) => {
      found.checkpoint = found.checkpoint.replace(/\n(\d+)\n/, "\n9$1\n");
    });
    expect(await verify(forged)).toMatchObject({ verdict: "altered", log: { problem: "checkpoint_forged" } });
    const unsigned = logged((found) => {
      const [text, signatures = ""] = found.checkpoint.split("\n\n");
      found.checkpoint = `${text}\n\n${signatures.split("\n").slice(1).join("\n")}`;
    });
    expect(await verify(unsigned)).toMatchObject({ verdict: "unverifiable", log: { problem: "unsigned" } });
  });

  it("differ when the manifest is shorter than the log knows, or another one", async () => {
    const cut = new FixtureFolder("closed");
    cut.files.delete("closed.json");
    cut.setLines(cut.lines().slice(0, 7));
    for (const path of cut.files.keys())
      if (path.startsWith("events/") || path.includes("/001/")) cut.files.delete(path);
    expect(await verify(logOf(), "", cut)).toMatchObject({
      verdict: "truncated",
      log: { problem: "manifest_cut", against: "log" },
    });
    const other = await verify(logOf(), "", new FixtureFolder("open"));
    expect(other.log).toMatchObject({ problem: "unknown_here" });
  });

  it("differ when this browser was shown another log, or a longer one", async () => {
    expect(await verify(logOf(), LOG.forked)).toMatchObject({
      verdict: "altered",
      log: { problem: "forked" },
    });
    expect(await verify(logOf(), LOG.ahead)).toMatchObject({
      verdict: "truncated",
      log: { problem: "log_cut" },
    });
    const wrongProof = logOf({ consistency: () => Promise.resolve(LOG.consistency.slice(1)) });
    expect(await verify(wrongProof, LOG.kept)).toMatchObject({ log: { problem: "forked" } });
  });

  it("differ when this browser kept a head that the manifest does not have", async () => {
    const withoutLeaves = logged((found) => {
      found.leaves = found.leaves.slice(0, 1);
    });
    const cut = new FixtureFolder("closed");
    cut.files.delete("closed.json");
    cut.setLines(cut.lines().slice(0, 3));
    const found = await verify(withoutLeaves, LOG.kept, cut);
    expect(found.log).toMatchObject({ problem: "manifest_cut", against: "kept" });
  });

  it("take lines that nobody signed for nothing", async () => {
    const lines = ["{}", "nonsense", LOG.kept.replace(/"signature": "../, '"signature": "00')].join("\n");
    const found = await verify(logOf(), lines);
    expect(found).toMatchObject({ verdict: "intact", log: { kept: { heads: 0, unusable: 2 } } });
  });

  it("are not compared when the log cannot be asked, which accuses nobody", async () => {
    const away = logOf({ about: () => Promise.reject(new Error("503")) });
    expect(await verify(away)).toMatchObject({ verdict: "intact", log: { problem: "unavailable" } });
  });

  it("need not agree about an archive that is older than the log", async () => {
    const younger = logged((found) => {
      found.leaves = [];
      found.since_us += 86_400_000_000;
    });
    expect(await verify(younger)).toMatchObject({ verdict: "intact", log: { older: true } });
  });
});

interface Vectors {
  leaf_hashes: string[];
  roots: string[];
  inclusion: { index: number; size: number; proof: string[] }[];
  consistency: { from: number; to: number; proof: string[] }[];
}

describe("proofs", () => {
  const vectors = JSON.parse(readFileSync("../tests/vectors/log/vectors.json", "utf8")) as Vectors;
  const root = (size: number) => fromHex(vectors.roots[size] ?? "");

  it("of inclusion are those of the test vectors, and no others", async () => {
    for (const { index, size, proof } of vectors.inclusion) {
      const hashed = fromHex(vectors.leaf_hashes[index] ?? "");
      const path = proof.map(fromBase64);
      expect(await verifyInclusion(hashed, index, size, path, root(size))).toBe(true);
      expect(await verifyInclusion(hashed, index, size, path, root(size + 1))).toBe(false);
      expect(await verifyInclusion(hashed, index, size, [...path, root(1)], root(size))).toBe(false);
    }
  });

  it("of consistency are those of the test vectors, and no others", async () => {
    for (const { from, to, proof } of vectors.consistency) {
      const path = proof.map(fromBase64);
      expect(await verifyConsistency(from, to, root(from), root(to), path), `${from} ${to}`).toBe(true);
      if (from === 0 || from === to) continue;
      expect(await verifyConsistency(from, to, root(from - 1), root(to), path)).toBe(false);
      expect(await verifyConsistency(from, to, root(from), root(to), path.slice(1))).toBe(false);
    }
  });
});
