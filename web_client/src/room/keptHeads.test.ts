import { expect, test } from "vitest";
import type { ArchiveHead } from "../protocol/messages";
import { headsFileName, KEPT_HEADS_KEY, KeptHeads, keptHeadsText, MAX_KEPT } from "./keptHeads";

function fakeStorage() {
  const stored = new Map<string, string>();
  return {
    stored,
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
  };
}

function told(consultation: string | null, entries = 1): ArchiveHead {
  const head = consultation === null ? null : signed(consultation, entries);
  return { type: "archive_head", head, checkpoint: "log\n1\nroot\n\n— log sig\n", at_us: entries };
}

function signed(consultation: string, entries: number): NonNullable<ArchiveHead["head"]> {
  return {
    kind: "head",
    consultation,
    entries,
    head: "0".repeat(64),
    at_us: 1,
    final: false,
    signer: `ed25519:${"0".repeat(64)}`,
    signature: "0".repeat(128),
  };
}

function lines(storage: ReturnType<typeof fakeStorage>) {
  const text = storage.stored.get(KEPT_HEADS_KEY) ?? "";
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Omit<ArchiveHead, "type">);
}

test("the newest head of each consultation is kept, as lines of a witness file", () => {
  const storage = fakeStorage();
  const kept = new KeptHeads(() => storage);
  for (const [name, entries] of [
    ["c_1", 1],
    ["c_2", 1],
    ["c_1", 5],
    [null, 6],
  ] as const) {
    kept.keep(told(name, entries));
  }
  expect(lines(storage).map(({ head, at_us }) => [head?.consultation, at_us])).toEqual([
    ["c_2", 1],
    ["c_1", 5],
    [undefined, 6],
  ]);
  expect(lines(storage)[1]).toEqual({ head: signed("c_1", 5), checkpoint: told("c_1").checkpoint, at_us: 5 });
});

test("what is kept has a bound, and the oldest go", () => {
  const storage = fakeStorage();
  const kept = new KeptHeads(() => storage);
  for (let number = 0; number < MAX_KEPT + 5; number++) kept.keep(told(`c_${String(number)}`));
  expect(lines(storage)).toHaveLength(MAX_KEPT);
  expect(lines(storage)[0]?.head?.consultation).toBe("c_5");
});

test("nonsense in the storage is thrown away", () => {
  const storage = fakeStorage();
  storage.stored.set(KEPT_HEADS_KEY, 'nonsense\n{"head":3}\n{"a":1}\nnull\n');
  new KeptHeads(() => storage).keep(told("c_1"));
  expect(lines(storage)).toHaveLength(1);
});

test("a storage that refuses stops nothing", () => {
  const refusing = {
    getItem: () => {
      throw new Error("denied");
    },
    setItem: () => {
      throw new Error("full");
    },
  };
  expect(() => {
    new KeptHeads(() => refusing).keep(told("c_1"));
  }).not.toThrow();
});

test("what is kept can be saved as it is, without what is no such line, under a name that says when", () => {
  const storage = fakeStorage();
  new KeptHeads(() => storage).keep(told("c_1", 7));
  const kept = storage.stored.get(KEPT_HEADS_KEY) ?? "";
  storage.stored.set(KEPT_HEADS_KEY, `nonsense\n${kept}`);
  expect(keptHeadsText(() => storage)).toBe(kept);
  expect(keptHeadsText(() => fakeStorage())).toBe("");
  expect(headsFileName(new Date("2026-11-22T10:20:30Z"))).toBe("archive-heads-2026-11-22-10-20-30.json");
});
