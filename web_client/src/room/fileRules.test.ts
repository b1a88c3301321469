import { expect, test } from "vitest";
import { checkFiles, FILE_MAX_BYTES, isPicture, sentName, textLength } from "./fileRules";

/** A file that says it is large without being so. */
function sized(name: string, bytes: number): File {
  const file = new File(["x"], name);
  Object.defineProperty(file, "size", { value: bytes });
  return file;
}

test("too large, empty and too many are said by name; the rest is taken", () => {
  const files = [sized("ok", FILE_MAX_BYTES), sized("big", FILE_MAX_BYTES + 1), sized("none", 0)];
  const { accepted, refused } = checkFiles(files, 0);
  expect(accepted.map(({ name }) => name)).toEqual(["ok"]);
  expect(refused).toEqual([
    { name: "big", problem: "too-large" },
    { name: "none", problem: "empty" },
  ]);
});

test("a message carries eight files", () => {
  const files = [sized("7", 1), sized("8", 1), sized("9", 1)];
  const { accepted, refused } = checkFiles(files, 6);
  expect(accepted).toHaveLength(2);
  expect(refused).toEqual([{ name: "9", problem: "too-many" }]);
});

test("characters are counted as the server does", () => {
  expect(textLength("心超𠮷🩺")).toBe(4);
});

test.each([
  ["", "file"],
  ["  scan.png ", "scan.png"],
  [`${"图".repeat(300)}.jpeg`, `${"图".repeat(195)}.jpeg`],
])("%j is sent as a name the server takes", (name, expected) => {
  expect(sentName(name)).toBe(expected);
});

test.each([
  ["image/png", true],
  ["image/webp", true],
  ["image/svg+xml", false],
  ["text/html", false],
  ["application/pdf", false],
])("%s is shown as a picture: %s", (type, shown) => {
  expect(isPicture(type)).toBe(shown);
});
