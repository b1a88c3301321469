import { describe, expect, it } from "vitest";
import { FixtureFolder, SIGNER } from "../fixtures/archive";
import { encode, type JsonObject } from "./canonical";
import { readManifest, verifyFolder, type Report } from "./verify";

const PIECE = "tracks/ultrasound-device-video/000/000001.m4s.age";

function verify(folder: FixtureFolder, trusted = [SIGNER]): Promise<Report> {
  return verifyFolder(folder, trusted, () => undefined, new AbortController().signal);
}

const respelled = (line: string, change: (fields: JsonObject) => void) => {
  const fields = JSON.parse(line) as JsonObject;
  change(fields);
  return new TextDecoder().decode(encode(fields));
};

describe("verification", () => {
  it("finds a closed archive intact, and an open one as far as it is written", async () => {
    const closed = await verify(new FixtureFolder("closed"));
    expect(closed).toMatchObject({ verdict: "intact", open: false, fault: null, signer: SIGNER, gaps: 1 });
    expect(closed.objects).toBe(closed.entries - 3);
    expect(await verify(new FixtureFolder("open"))).toMatchObject({ verdict: "intact", open: true });
  });

  it("says so when it does not know the signer", async () => {
    expect(await verify(new FixtureFolder("closed"), [])).toMatchObject({ verdict: "unverifiable" });
  });

  it("finds one changed bit in any object, and names it", async () => {
    const whole = new FixtureFolder("closed");
    for (const path of whole.files.keys()) {
      if (!path.endsWith(".age")) continue;
      const folder = new FixtureFolder("closed");
      folder.flip(path, 40);
      expect(await verify(folder), path).toMatchObject({ verdict: "altered", fault: { path } });
    }
  });

  it("finds one changed bit anywhere in the manifest", async () => {
    const size = new FixtureFolder("closed").files.get("manifest.jsonl")?.length ?? 0;
    for (let at = 7; at < size; at += 211) {
      const folder = new FixtureFolder("closed");
      folder.flip("manifest.jsonl", at);
      expect((await verify(folder)).verdict, String(at)).toBe("altered");
    }
  });

  it("finds entries that were dropped, swapped, repeated or cut off", async () => {
    const lines = new FixtureFolder("closed").lines();
    const [first = "", second = "", third = "", ...others] = lines;
    const cases: [string, string[]][] = [
      ["altered", [first, third, ...others]],
      ["altered", [first, third, second, ...others]],
      ["altered", [first, second, second, third, ...others]],
      ["truncated", lines.slice(0, -1)],
      ["truncated", lines.slice(0, -4)],
      ["truncated", []],
    ];
    for (const [verdict, changed] of cases) {
      const folder = new FixtureFolder("closed");
      folder.setLines(changed);
      expect((await verify(folder)).verdict).toBe(verdict);
    }
  });

  it("finds an object that is gone, one that no entry names, and a swapped key", async () => {
    const gone = new FixtureFolder("closed");
    gone.files.delete(PIECE);
    expect(await verify(gone)).toMatchObject({ verdict: "missing", fault: { path: PIECE } });
    const extra = new FixtureFolder("closed");
    extra.files.set("events/000009.jsonl.age", new Uint8Array(3));
    expect(await verify(extra)).toMatchObject({ verdict: "altered" });
    const swapped = new FixtureFolder("closed");
    swapped.flip("session.key.age", 60);
    expect(await verify(swapped)).toMatchObject({ verdict: "altered", fault: { entry: 0 } });
  });

  it("takes one object that a recorder is just adding for no fault, more for a cut manifest", async () => {
    const folder = new FixtureFolder("open");
    folder.files.set("events/000003.jsonl.age", new Uint8Array(3));
    expect(await verify(folder)).toMatchObject({ verdict: "intact", open: true });
    folder.files.set("tracks/ultrasound-device-video/001/000002.m4s.age", new Uint8Array(3));
    expect(await verify(folder)).toMatchObject({ verdict: "truncated" });
  });

  it("takes a torn last line of an open archive for a crash, but not a changed newline", async () => {
    const torn = new FixtureFolder("open");
    const lines = torn.lines();
    const bytes = new TextEncoder().encode(`${lines.join("\n")}\n{"at_us":17`);
    torn.files.set("manifest.jsonl", bytes);
    expect(await verify(torn)).toMatchObject({ verdict: "intact", open: true });
    const changed = new FixtureFolder("open");
    changed.files.set("manifest.jsonl", new TextEncoder().encode(`${lines.join("\n")} `));
    expect(await verify(changed)).toMatchObject({ verdict: "altered" });
  });

  it("does not take another spelling of an entry, nor a field it does not know", async () => {
    for (const change of [
      (line: string) => line.replace('{"', '{ "'),
      (line: string) => respelled(line, (fields) => (fields["more"] = 1)),
      (line: string) => respelled(line, (fields) => (fields["at_us"] = 1)),
    ]) {
      const folder = new FixtureFolder("closed");
      const [first = "", second = "", ...others] = folder.lines();
      folder.setLines([first, change(second), ...others]);
      expect(await verify(folder)).toMatchObject({ verdict: "altered", fault: { entry: 1 } });
    }
  });

  it("claims nothing about a key that people wrapped anew or destroyed by a decision it cannot check", async () => {
    const folder = new FixtureFolder("closed");
    folder.decided = true;
    delete folder.decisions;
    folder.files.delete("session.key.age");
    expect(await verify(folder)).toMatchObject({ verdict: "unverifiable", fault: { entry: 0 } });
    const altered = new FixtureFolder("closed");
    altered.decided = true;
    delete altered.decisions;
    altered.flip(PIECE, 50);
    expect(await verify(altered)).toMatchObject({ verdict: "altered" });
  });

  it("keeps the good entries before a bad one, so that they can be shown", async () => {
    const folder = new FixtureFolder("closed");
    const lines = folder.lines();
    folder.setLines([...lines.slice(0, 5), lines[3] ?? ""]);
    const read = await readManifest(await folder.manifest(), null, [SIGNER]);
    expect(read.entries).toHaveLength(5);
    expect(read.fault?.entry).toBe(5);
  });
});
