import { describe, expect, it } from "vitest";
import { FixtureFolder } from "../../replay/fixtures/archive";
import { sha256, type Bytes } from "../../replay/format/bytes";
import type { Report } from "../../replay/format/verify";
import { compareMark, findMark, findShredding, withMark } from "./evidence";

const bytes = (lines: readonly string[]): Bytes =>
  new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));

async function marked(which: "closed" | "open") {
  const lines = new FixtureFolder(which).lines();
  const head = await sha256(bytes(lines.slice(-1)));
  return { lines, mark: { consultation: `c_${which}`, entries: lines.length, head } };
}

describe("where the archive stood when the page was made", () => {
  it("is found by the consultation's own name, whatever its folder is called now", async () => {
    const { lines, mark } = await marked("closed");
    expect(findMark(bytes(lines), "exhibit-7", [mark])).toBe(mark);
    expect(findMark(bytes(lines), "exhibit-7", [{ ...mark, consultation: "exhibit-7" }])).toBeNull();
    expect(findMark(null, "c_closed", [mark])).toBe(mark);
  });

  it("matches the same archive, and one that went on since", async () => {
    const { lines, mark } = await marked("open");
    expect(await compareMark(bytes(lines), mark)).toBe("matches");
    expect(await compareMark(bytes([...lines, "{}"]), mark)).toBe("matches");
    expect(await compareMark(bytes(lines), null)).toBe("none");
  });

  it("tells one that was cut from another one", async () => {
    const { lines, mark } = await marked("closed");
    expect(await compareMark(bytes(lines.slice(0, -1)), mark)).toBe("shorter");
    expect(await compareMark(null, mark)).toBe("shorter");
    expect(await compareMark(bytes(lines), { ...mark, head: "0".repeat(64) })).toBe("differs");
    expect(await compareMark(bytes(lines), { ...mark, entries: mark.entries + 1 })).toBe("differs");
  });

  it("makes what holds by itself altered or cut off, and nothing worse better", () => {
    const report = { verdict: "intact", open: true, entries: 5, fault: null } as unknown as Report;
    const mark = { consultation: "c", entries: 9, head: "" };
    expect(withMark(report, "matches", mark)).toBe(report);
    expect(withMark(report, "none", null)).toBe(report);
    expect(withMark(report, "shorter", mark)).toMatchObject({ verdict: "truncated", fault: { entry: 5 } });
    expect(withMark(report, "differs", mark)).toMatchObject({ verdict: "altered", fault: { entry: 4 } });
    const missing = { ...report, verdict: "missing" as const };
    expect(withMark(missing, "shorter", mark)).toBe(missing);
  });
});

describe("a decision to shred", () => {
  it("is found, and is no trusted archive's only because it says so", async () => {
    const line = `{"at_us":7,"kind":"shred","reason":"term","signature":"${"0".repeat(128)}","signer":"ed25519:${"1".repeat(64)}"}`;
    const signer = `ed25519:${"1".repeat(64)}`;
    const found = { atUs: 7, reason: "term", signed: false };
    expect(await findShredding(bytes([line]), [signer])).toEqual(found);
    expect(await findShredding(bytes([line]), [])).toEqual(found);
    expect(await findShredding(bytes(["no line", '{"kind":"hold"}']), [signer])).toBeNull();
    expect(await findShredding(null, [signer])).toBeNull();
  });
});
