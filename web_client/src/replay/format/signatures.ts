import { verifyAsync } from "@noble/ed25519";
import { fromHex, type Bytes } from "./bytes";

/** Ed25519 (RFC 8032) by the browser; by a library where the browser has none. */
export class Signatures {
  private readonly keys = new Map<string, Promise<CryptoKey | null>>();

  /** True when the key named `ed25519:<hex>` signed `message`; `signature` in hexadecimal. */
  async hold(signer: string, signature: string, message: Bytes): Promise<boolean> {
    const key = await this.keyOf(signer);
    const bytes = fromHex(signature);
    try {
      if (key !== null) return await crypto.subtle.verify("Ed25519", key, bytes, message);
      return await verifyAsync(bytes, message, fromHex(signer.slice("ed25519:".length)), { zip215: false });
    } catch {
      return false;
    }
  }

  private keyOf(signer: string): Promise<CryptoKey | null> {
    let key = this.keys.get(signer);
    if (key === undefined) {
      const raw = fromHex(signer.slice("ed25519:".length));
      key = crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]).catch(() => null);
      this.keys.set(signer, key);
    }
    return key;
  }
}
