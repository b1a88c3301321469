import { describe, expect, it } from "vitest";
import { FixtureFolder, SIGNER } from "../fixtures/archive";
import { verifyFolder, type Report } from "./verify";

const verify = (folder: FixtureFolder): Promise<Report> =>
  verifyFolder(folder, [SIGNER], () => undefined, new AbortController().signal);

const lineOf = (folder: FixtureFolder) => new TextDecoder().decode(folder.files.get("decisions.jsonl"));
const setLine = (folder: FixtureFolder, text: string) =>
  folder.files.set("decisions.jsonl", new TextEncoder().encode(text));

describe("decisions about an archive", () => {
  it("say who destroyed its key, when, and by which class; everything else is still compared", async () => {
    const found = await verify(new FixtureFolder("shredded"));
    expect(found).toMatchObject({
      verdict: "shredded",
      fault: null,
      decided: { shredded: { policy: "short", objectsRemoved: false }, keyAsDecided: true },
    });
    expect(found.decided?.shredded?.by.map(({ subject }) => subject)).toEqual(["u_1", "u_2"]);
    expect(found.bytes).toBeGreaterThan(0);
    const altered = new FixtureFolder("shredded");
    altered.flip("events/000001.jsonl.age", 30);
    expect(await verify(altered)).toMatchObject({ verdict: "altered" });
  });

  it("do not excuse objects that a shredding kept, nor hide that the key is still there", async () => {
    const gone = new FixtureFolder("shredded");
    gone.files.delete("events/000001.jsonl.age");
    expect(await verify(gone)).toMatchObject({ verdict: "missing" });
    const still = new FixtureFolder("shredded");
    const key = new FixtureFolder("closed").files.get("session.key.age");
    if (key !== undefined) still.files.set("session.key.age", key);
    expect(await verify(still)).toMatchObject({ verdict: "shredded", decided: { keyAsDecided: false } });
  });

  it("make another wrapping of the key the right one", async () => {
    const found = await verify(new FixtureFolder("rewrapped"));
    expect(found).toMatchObject({ verdict: "intact", decided: { keyAsDecided: true, shredded: null } });
    expect(found.decided?.rewrapped?.custodians.map((one) => one.custodian)).toEqual([
      "Chen",
      "Records office",
    ]);
    const swapped = new FixtureFolder("rewrapped");
    swapped.flip("session.key.age", 80);
    expect(await verify(swapped)).toMatchObject({ verdict: "altered", fault: { entry: 0 } });
  });

  it("count only by people somebody vouches for", async () => {
    const folder = new FixtureFolder("rewrapped");
    folder.trustedPeople = [];
    expect(await verify(folder)).toMatchObject({
      verdict: "unverifiable",
      fault: { path: "decisions.jsonl" },
    });
  });

  it("cannot be changed in any byte, nor be made by one person", async () => {
    const size = lineOf(new FixtureFolder("shredded")).length - 1;
    for (let at = 1; at < size; at += 37) {
      const folder = new FixtureFolder("shredded");
      folder.flip("decisions.jsonl", at);
      expect((await verify(folder)).verdict, String(at)).toBe("altered");
    }
    const alone = new FixtureFolder("shredded");
    setLine(alone, lineOf(alone).replace('"u_2"', '"u_1"'));
    expect((await verify(alone)).verdict).toBe("altered");
    const forged = new FixtureFolder("rewrapped");
    setLine(forged, lineOf(forged).replace("time is up", "time is UP"));
    expect((await verify(forged)).verdict).toBe("altered");
  });

  it("are none when they were torn by a crash, and a key that is gone then is missing", async () => {
    const folder = new FixtureFolder("shredded");
    setLine(folder, lineOf(folder).trimEnd());
    expect(await verify(folder)).toMatchObject({ verdict: "missing", fault: { path: "session.key.age" } });
  });
});
