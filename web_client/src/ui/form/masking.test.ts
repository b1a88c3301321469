import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Sex } from "../../api/types";
import { conceal, maskedHeader, maskName } from "./masking";

interface Vectors {
  mask_name: [name: string, masked: string][];
  masked_header: [args: [string, Sex, number, string], header: string][];
  conceal: [text: string, name: string, concealed: string][];
}

/** The server's masking is held to the same file. */
const file = new URL("../../../../tests/core/masking_vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

test.each(vectors.mask_name)("%j is shown as %j", (name, masked) => {
  expect(maskName(name)).toBe(masked);
});

test.each(vectors.mask_name)("masking %j again changes nothing", (name) => {
  expect(maskName(maskName(name))).toBe(maskName(name));
});

test.each(vectors.masked_header)("%j has the header %j", (args, header) => {
  expect(maskedHeader(...args)).toBe(header);
});

test.each(vectors.conceal)("%j about %j reads %j", (text, name, concealed) => {
  expect(conceal(text, name)).toBe(concealed);
});
