import { Decrypter, identityToRecipient } from "age-encryption";
import { ReplayError, type KeyState, type StoredKey } from "./protocol";

/**
 * The auditor's key: at rest in IndexedDB under a passphrase (PBKDF2 → AES-256-GCM), in the clear only in this worker's
 * memory while it is unlocked. It is never sent anywhere, and no answer of the worker holds it.
 */

const DATABASE = "teleconsult-replay";
const KEYS = "keys";
/** OWASP's figure for PBKDF2-HMAC-SHA256 in 2023. */
const ITERATIONS = 600_000;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;

interface KeyRecord extends StoredKey {
  owner: string;
  salt: Uint8Array<ArrayBuffer>;
  nonce: Uint8Array<ArrayBuffer>;
  iterations: number;
  sealed: ArrayBuffer;
}

export class KeyVault {
  private identity: string | null = null;

  async state(owner: string): Promise<KeyState> {
    if (!globalThis.isSecureContext) throw new ReplayError("insecure-page");
    const record = await read(owner);
    const stored = record && { recipient: record.recipient, importedMs: record.importedMs };
    return { stored, unlocked: this.identity !== null && stored !== null };
  }

  /** Takes an age identity file's text. Throws `ReplayError`. */
  async import(owner: string, text: string, passphrase: string): Promise<KeyState> {
    const identity = parseIdentity(text);
    const recipient = await recipientOf(identity);
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const key = await derive(passphrase, salt, ITERATIONS);
    const clear = new TextEncoder().encode(identity);
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, clear);
    await write({ owner, recipient, importedMs: Date.now(), salt, nonce, iterations: ITERATIONS, sealed });
    this.identity = identity;
    return this.state(owner);
  }

  async unlock(owner: string, passphrase: string): Promise<KeyState> {
    const record = await read(owner);
    if (record === null) throw new ReplayError("no-key");
    const key = await derive(passphrase, record.salt, record.iterations);
    try {
      const clear = await crypto.subtle.decrypt({ name: "AES-GCM", iv: record.nonce }, key, record.sealed);
      this.identity = new TextDecoder().decode(clear);
    } catch {
      throw new ReplayError("wrong-passphrase");
    }
    return this.state(owner);
  }

  lock(): void {
    this.identity = null;
  }

  async forget(owner: string): Promise<void> {
    this.lock();
    await remove(owner);
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

/** The secret keys of an identity file, one a line. Throws `ReplayError`. */
export function parseIdentity(text: string): string {
  if (/^(age-encryption\.org\/|-----BEGIN AGE)/.test(text)) throw new ReplayError("protected-identity");
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0 || !lines.every((line) => /^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(line))) {
    throw new ReplayError("not-an-identity");
  }
  return lines.join("\n");
}

async function recipientOf(identity: string): Promise<string> {
  try {
    return await identityToRecipient(identity.split("\n")[0] ?? "");
  } catch {
    throw new ReplayError("not-an-identity");
  }
}

async function derive(
  passphrase: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<CryptoKey> {
  const text = new TextEncoder().encode(passphrase.normalize("NFC"));
  const base = await crypto.subtle.importKey("raw", text, "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(how, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

// --- IndexedDB ------------------------------------------------------------------------------------------------

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(KEYS, { keyPath: "owner" });
  };
  return settled(request);
}

function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(new ReplayError("failed", request.error?.name));
    };
  });
}

async function inStore<Result>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<Result>,
): Promise<Result> {
  const database = await open();
  try {
    return await settled(act(database.transaction(KEYS, mode).objectStore(KEYS)));
  } finally {
    database.close();
  }
}

async function read(owner: string): Promise<KeyRecord | null> {
  return ((await inStore("readonly", (store) => store.get(owner))) as KeyRecord | undefined) ?? null;
}

async function write(record: KeyRecord): Promise<void> {
  await inStore("readwrite", (store) => store.put(record));
}

async function remove(owner: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(owner));
}
