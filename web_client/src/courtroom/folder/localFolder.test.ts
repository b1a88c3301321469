import { describe, expect, it } from "vitest";
import { FixtureFolder, SIGNER } from "../../replay/fixtures/archive";
import { verifyFolder } from "../../replay/format/verify";
import { LocalFolder } from "./localFolder";

const TRUST = { signers: [SIGNER], people: [], logs: [], witnesses: [] };
const PREFIX = "archive/c_closed/";

function chosen(change: (files: Map<string, File>) => void = () => undefined) {
  const found = new Map<string, File>();
  for (const [path, content] of new FixtureFolder("closed").files) {
    found.set(PREFIX + path, new File([content], path));
  }
  change(found);
  return new LocalFolder(found, PREFIX, TRUST);
}

async function verdictOf(folder: LocalFolder) {
  const stop = new AbortController().signal;
  const report = await verifyFolder(folder, await folder.signers(), () => undefined, stop);
  return report.verdict;
}

describe("a folder that was chosen", () => {
  it("verifies as it does at the service", async () => {
    expect(await verdictOf(chosen())).toBe("intact");
  });

  it("counts what no entry names, but not what other folders and the system leave beside it", async () => {
    const more = new File(["x"], "more");
    const beside = chosen((files) => {
      files.set("archive/c_other/tracks/a/000/000001.m4s.age", more);
      files.set(`${PREFIX}tracks/.DS_Store`, more);
      files.set(`${PREFIX}tracks/a/000/000001.m4s.age.tmp`, more);
    });
    expect(await verdictOf(beside)).toBe("intact");
    const within = chosen((files) => files.set(`${PREFIX}tracks/a/000/000009.m4s.age`, more));
    expect(await verdictOf(within)).toBe("altered");
  });

  it("misses what is not there, and what was taken away since", async () => {
    expect(await verdictOf(chosen((files) => files.delete(`${PREFIX}session.key.age`)))).toBe("missing");
    const gone = new File([], "gone");
    gone.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotFoundError"));
    expect(await verdictOf(chosen((files) => files.set(`${PREFIX}manifest.jsonl`, gone)))).toBe("missing");
  });

  it("says when the disk does not answer, instead of calling the archive altered", async () => {
    const stuck = new File([], "stuck");
    stuck.arrayBuffer = () => Promise.reject(new DOMException("stuck", "NotReadableError"));
    const folder = chosen((files) => files.set(`${PREFIX}manifest.jsonl`, stuck));
    await expect(folder.manifest()).rejects.toMatchObject({ code: "unreachable" });
  });
});
