import { describe, expect, it } from "vitest";
import { parseIdentity } from "./keyVault";
import { ReplayError } from "./protocol";

const KEY = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SW2HFFC";

describe("an auditor's identity file", () => {
  it("is its secret keys, without comments and empty lines", () => {
    expect(parseIdentity(`# created: today\r\n# public key: age1…\r\n${KEY}\r\n\r\n`)).toBe(KEY);
  });

  it.each([
    ["", "not-an-identity"],
    ["# nothing", "not-an-identity"],
    ["a photo", "not-an-identity"],
    [`${KEY}\nage1notsecret`, "not-an-identity"],
    ["age-encryption.org/v1\n-> scrypt", "protected-identity"],
    ["-----BEGIN AGE ENCRYPTED FILE-----", "protected-identity"],
  ])("is not %j", (text, code) => {
    expect(() => parseIdentity(text)).toThrow(ReplayError);
    expect(() => parseIdentity(text)).toThrow(code);
  });
});
