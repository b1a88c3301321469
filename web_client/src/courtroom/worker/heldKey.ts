import { armor, Decrypter, identityToRecipient } from "age-encryption";
import { parseIdentity } from "../../replay/worker/keyVault";
import { ReplayError, type KeyState } from "../../replay/worker/protocol";

const ARMORED = /^\s*-----BEGIN AGE ENCRYPTED FILE-----/;
const BINARY = "age-encryption.org/";

/** The auditor's key, in this worker's memory and nowhere else, until it is locked or the page is closed. */
export class HeldKey {
  private identity: string | null = null;
  private recipient = "";

  /**
   * Takes an age identity file, one protected by a passphrase (`age -p`) included; `content` has one character per
   * byte. Throws `ReplayError`.
   */
  async take(content: string, passphrase: string): Promise<KeyState> {
    const identity = parseIdentity(await opened(content, passphrase));
    this.recipient = await recipientOf(identity);
    this.identity = identity;
    return this.state();
  }

  state(): KeyState {
    const stored = this.identity === null ? null : { recipient: this.recipient, importedMs: 0 };
    return { stored, unlocked: stored !== null };
  }

  lock(): void {
    this.identity = null;
    this.recipient = "";
  }

  /** The consultation's identity out of `session.key.age`. Throws `ReplayError`. */
  async unwrap(sessionKey: Uint8Array): Promise<string> {
    if (this.identity === null) throw new ReplayError("locked");
    const decrypter = new Decrypter();
    for (const line of this.identity.split("\n")) decrypter.addIdentity(line);
    try {
      return parseIdentity(await decrypter.decrypt(sessionKey, "text"));
    } catch {
      throw new ReplayError("wrong-key");
    }
  }
}

async function opened(content: string, passphrase: string): Promise<string> {
  if (!ARMORED.test(content) && !content.startsWith(BINARY)) return content;
  if (passphrase === "") throw new ReplayError("protected-identity");
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    const sealed = ARMORED.test(content) ? armor.decode(content.trim()) : bytesOf(content);
    return await decrypter.decrypt(sealed, "text");
  } catch {
    throw new ReplayError("wrong-passphrase");
  }
}

const bytesOf = (content: string) => Uint8Array.from(content, (char) => char.charCodeAt(0));

async function recipientOf(identity: string): Promise<string> {
  try {
    return await identityToRecipient(identity.split("\n")[0] ?? "");
  } catch {
    throw new ReplayError("not-an-identity");
  }
}
