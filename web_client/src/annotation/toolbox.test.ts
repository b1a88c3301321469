import { expect, test } from "vitest";
import { nextAnchor, possibleAnchor, type Anchor } from "./toolbox";

const round = (follows: boolean) => {
  const seen: Anchor[] = ["screen"];
  for (let turn = 0; turn < 3; turn += 1) seen.push(nextAnchor(seen.at(-1) ?? "screen", follows));
  return seen;
};

test("what drawings stay with goes round, without tissue where nobody follows it", () => {
  expect(round(true)).toEqual(["screen", "frame", "tissue", "screen"]);
  expect(round(false)).toEqual(["screen", "frame", "screen", "frame"]);
});

test("tissue that was chosen on another picture is the screen on one whose tissue nobody follows", () => {
  expect([possibleAnchor("tissue", false), possibleAnchor("tissue", true)]).toEqual(["screen", "tissue"]);
  expect(nextAnchor("tissue", false)).toBe("frame");
});
