import { describe, expect, it } from "vitest";
import { decode, encode, FormatError } from "./canonical";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("canonical JSON", () => {
  it.each(['{"a":1,"b":[true,null,"\\u001f\\n\\"/é😀"]}', "-7", '""', "[]", "{}", "9007199254740991"])(
    "takes %s and spells it the same way",
    (text) => {
      expect(new TextDecoder().decode(encode(decode(bytes(text))))).toBe(text);
    },
  );

  it.each([
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a": 1}',
    "1.0",
    "1e3",
    "-0",
    "01",
    "9007199254740992",
    '"\\/"',
    '"\\u00e9"',
    '"\\ud800"',
    '"\\u000A"',
    '{"é":1}',
    "[1] ",
    "nothing",
    "",
  ])("refuses %s", (text) => {
    expect(() => decode(bytes(text))).toThrow(FormatError);
  });

  it("refuses what is no UTF-8, and a byte order mark", () => {
    expect(() => decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(FormatError);
    expect(() => decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]))).toThrow(FormatError);
  });
});
