import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("./base.css", import.meta.url), "utf8");
const colours = new Map(
  [...css.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1] ?? "", match[2] ?? ""]),
);

/** WCAG 2.2, relative luminance. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const of = (name: string) => luminance(colours.get(name) ?? expect.fail(`no colour ${name}`));
  return (Math.max(of(one), of(other)) + 0.05) / (Math.min(of(one), of(other)) + 0.05);
}

const TEXTS = ["text", "text-muted", "accent", "danger", "recording", "good", "fair", "poor"];
const GROUNDS = ["ground", "surface", "raised"];

test.each(TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground])))(
  "%s on %s is readable (WCAG AA, 4.5 : 1)",
  (text, ground) => {
    expect(contrast(text, ground)).toBeGreaterThanOrEqual(4.5);
  },
);

test("words on the accent colour are readable", () => {
  expect(contrast("on-accent", "accent")).toBeGreaterThanOrEqual(4.5);
});

test.each(GROUNDS)("edges of controls and the focus ring are seen on %s (3 : 1)", (ground) => {
  expect(contrast("line-strong", ground)).toBeGreaterThanOrEqual(3);
  expect(contrast("accent", ground)).toBeGreaterThanOrEqual(3);
});
