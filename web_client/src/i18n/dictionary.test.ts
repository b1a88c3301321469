import { expect, test } from "vitest";
import { en } from "./en";
import { chooseLanguage, LanguageChoice } from "./language";
import { zh } from "./zh";

type Entry = [path: string, value: unknown];

function leaves(value: object, path = ""): Entry[] {
  return Object.entries(value).flatMap(([key, entry]: [string, unknown]): Entry[] =>
    typeof entry === "object" && entry !== null ? leaves(entry, `${path}${key}.`) : [[path + key, entry]],
  );
}

const say = (value: unknown) =>
  typeof value === "function" ? String((value as (...args: unknown[]) => unknown)(2, 3)) : String(value);

test("every string exists in both languages and is not empty", () => {
  expect(leaves(zh).map(([path]) => path)).toEqual(leaves(en).map(([path]) => path));
  for (const [path, value] of [...leaves(en), ...leaves(zh)]) expect(say(value).trim(), path).not.toBe("");
});

test("what takes values shows all of them, in both languages", () => {
  const english = new Map(leaves(en));
  for (const [path, chinese] of leaves(zh)) {
    const original = english.get(path);
    if (typeof original !== "function" || typeof chinese !== "function") continue;
    expect(chinese.length, path).toBe(original.length);
    for (const value of ["2", "3"].slice(0, original.length)) expect(say(chinese), path).toContain(value);
  }
});

test("Chinese is Chinese: only names and units stay as they are", () => {
  const same = leaves(zh).filter(([path, value]) => say(value) === say(new Map(leaves(en)).get(path)));
  expect(same.map(([path]) => path)).toEqual(["productName", "account.signedInAs", "feed.size"]);
});

test("each device problem has words of its own", () => {
  for (const text of [en, zh]) {
    for (const problems of Object.values(text.problems)) {
      expect(new Set(Object.values(problems)).size).toBe(Object.values(problems).length);
    }
  }
});

test.each<[string, string | null, string[]]>([
  ["zh-CN", null, ["zh-TW", "en"]],
  ["zh-CN", null, ["zh"]],
  ["en", null, ["en-GB", "zh"]],
  ["zh-CN", null, ["fr", "zh-CN", "en"]],
  ["en", null, ["fr"]],
  ["en", null, []],
  ["zh-CN", "zh-CN", ["en"]],
  ["en", "nonsense", ["en"]],
])("%s when %s was chosen before and the browser prefers %j", (expected, remembered, preferred) => {
  expect(chooseLanguage(remembered, preferred)).toBe(expected);
});

test("the choice is remembered", () => {
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
  };
  new LanguageChoice(storage, ["en"]).toggle();
  expect(new LanguageChoice(storage, ["en"]).store.get()).toBe("zh-CN");
});
