import { armor, Encrypter } from "age-encryption";
import { describe, expect, it } from "vitest";
import { FixtureFolder, IDENTITY } from "../../replay/fixtures/archive";
import { HeldKey } from "./heldKey";

const PASSPHRASE = "correct horse";

/** What `age -p` makes of an identity file; a low work factor, for the test's sake. */
async function protectedKey(): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(PASSPHRASE);
  encrypter.setScryptWorkFactor(10);
  return encrypter.encrypt(`# mine\n${IDENTITY}\n`);
}

const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

async function sessionKey() {
  const wrapped = await new FixtureFolder("closed").key();
  if (wrapped === null) throw new Error("the fixture has no key");
  return wrapped;
}

describe("the key that is held while the page is open", () => {
  it("opens the consultation's, and no longer once it is locked", async () => {
    const key = new HeldKey();
    expect(await key.take(IDENTITY, "")).toMatchObject({ unlocked: true });
    expect(await key.unwrap(await sessionKey())).toMatch(/^AGE-SECRET-KEY-1/);
    key.lock();
    expect(key.state()).toEqual({ stored: null, unlocked: false });
    await expect(key.unwrap(await sessionKey())).rejects.toMatchObject({ code: "locked" });
  });

  it("is taken from a protected file, binary or armored, with its passphrase", async () => {
    const sealed = await protectedKey();
    for (const content of [latin1(sealed), armor.encode(sealed)]) {
      const key = new HeldKey();
      expect(await key.take(content, PASSPHRASE)).toMatchObject({ unlocked: true });
      expect(await key.unwrap(await sessionKey())).toMatch(/^AGE-SECRET-KEY-1/);
    }
  });

  it("says that a passphrase is needed, that it is wrong, and that something is no key", async () => {
    const content = latin1(await protectedKey());
    const key = new HeldKey();
    await expect(key.take(content, "")).rejects.toMatchObject({ code: "protected-identity" });
    await expect(key.take(content, "wrong")).rejects.toMatchObject({ code: "wrong-passphrase" });
    await expect(key.take("a photo", "")).rejects.toMatchObject({ code: "not-an-identity" });
    expect(key.state().unlocked).toBe(false);
  });
});
