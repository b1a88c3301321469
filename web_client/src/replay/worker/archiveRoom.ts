import { Decrypter, identityToRecipient } from "age-encryption";
import { parseEvents, type RoomEvent } from "../events";
import { sha256, type Bytes } from "../format/bytes";
import { ArchiveFault } from "../format/auditor";
import type { ReadManifest } from "../format/manifest";
import { splitRun } from "../format/objects";
import { Signatures } from "../format/signatures";
import {
  decidedOf,
  readLedger,
  readManifest,
  verifyFolder,
  type Decided,
  type Folder,
  type Progress,
  type Report,
  type VerifyOptions,
} from "../format/verify";
import type { KeyVault } from "./keyVault";
import { ownBuffer } from "./answer";
import { ReplayError, type OpenedArchive, type ProblemCode, type WantedPiece } from "./protocol";

/** A consultation's folder that is replayed, wherever it is. */
export interface ReplayedFolder extends Folder {
  /** Puts the replay on record, where there is one. */
  begin(): Promise<void>;
  /** Trusted signers. */
  signers(): Promise<string[]>;
  /** As `object`, but what was kept of it will do: its hash is compared all the same. */
  keptObject(path: string): Promise<Bytes | null>;
}

/** One consultation that is being replayed: what is fetched of it is compared with its entry, then decrypted. */
export class ArchiveRoom {
  private folder: ReplayedFolder | null = null;
  private decrypter: Decrypter | null = null;

  constructor(
    private readonly vault: Pick<KeyVault, "unwrap">,
    private readonly folderOf: (consultation: string) => ReplayedFolder,
  ) {}

  /** Puts the replay on record, reads the manifest and, if the auditor's key is one of its custodians', opens it. */
  async open(consultation: string): Promise<OpenedArchive> {
    const folder = this.folderOf(consultation);
    this.decrypter = null;
    await folder.begin();
    const closing = await folder.closing(); // before the manifest: a recorder may be closing it
    const [manifest, trusted] = await Promise.all([folder.manifest(), folder.signers()]);
    const read = await readManifest(manifest, closing, trusted);
    this.folder = folder;
    const wrapped = await folder.key();
    const decided = await decisionsOf(folder, read, wrapped);
    const fault = read.fault ?? (decided instanceof ArchiveFault ? decided : null);
    const state = await this.unwrap(wrapped, read.audit.opened?.public_key ?? "");
    return {
      entries: read.entries,
      fault: fault && { verdict: fault.verdict, entry: fault.entry, reason: fault.reason },
      readable: state === "opens",
      key: state,
      decided: decided instanceof ArchiveFault ? null : decided,
    };
  }

  /** Decrypted, after its hash was compared. Throws `ReplayError`. */
  async object(path: string, hash: string): Promise<Bytes> {
    if (this.folder === null || this.decrypter === null) throw new ReplayError("not-opened");
    const sealed = await this.folder.keptObject(path);
    if (sealed === null) throw new ReplayError("missing", path);
    return this.opened(sealed, path, hash);
  }

  /** As `object`, of pieces that follow each other. One that cannot be had does not hide the others. */
  async pieces(wanted: readonly WantedPiece[], stop: AbortSignal): Promise<(ArrayBuffer | ProblemCode)[]> {
    const sealed = await this.run(wanted, stop);
    const found: (ArrayBuffer | ProblemCode)[] = [];
    for (const [index, { object, sha256: hash }] of wanted.entries()) {
      stop.throwIfAborted();
      try {
        const bytes = sealed[index];
        const clear = bytes === undefined ? this.object(object, hash) : this.opened(bytes, object, hash);
        found.push(ownBuffer(await clear));
      } catch (error) {
        if (!(error instanceof ReplayError)) throw error;
        found.push(error.code);
      }
    }
    return found;
  }

  /** As many of them as come in one answer; none where each has to be asked for. */
  private async run(wanted: readonly WantedPiece[], stop: AbortSignal): Promise<Bytes[]> {
    const [first, last] = [wanted[0], wanted.at(-1)];
    const { folder } = this;
    if (folder?.run === undefined || first === undefined || last === undefined || first === last) return [];
    const { track, generation, number } = first;
    const bytes = await folder.run(track, generation, number, last.number, stop);
    return splitRun(bytes, wanted);
  }

  private async opened(sealed: Bytes, path: string, hash: string): Promise<Bytes> {
    const { decrypter } = this;
    if (decrypter === null) throw new ReplayError("not-opened");
    if ((await sha256(sealed)) !== hash) throw new ReplayError("altered", path);
    try {
      return (await decrypter.decrypt(sealed)) as Bytes;
    } catch {
      throw new ReplayError("altered", path);
    }
  }

  async events(path: string, hash: string, epochUs: number): Promise<RoomEvent[]> {
    return parseEvents(new TextDecoder().decode(await this.object(path, hash)), epochUs);
  }

  async verify(
    consultation: string,
    onProgress: (progress: Progress) => void,
    options: VerifyOptions = {},
    stop: AbortSignal = new AbortController().signal,
  ): Promise<Report> {
    const folder = this.folderOf(consultation);
    return verifyFolder(folder, await folder.signers(), onProgress, stop, options);
  }

  close(): void {
    this.folder = null;
    this.decrypter = null;
  }

  /** `publicKey`: the consultation's; a key file that holds another one was swapped. */
  private async unwrap(wrapped: Bytes | null, publicKey: string): Promise<OpenedArchive["key"]> {
    if (wrapped === null) return "gone";
    let identity: string;
    try {
      identity = await this.vault.unwrap(wrapped);
    } catch (error) {
      if (error instanceof ReplayError && error.code === "wrong-key") return "closed";
      throw error;
    }
    if ((await identityToRecipient(identity.split("\n")[0] ?? "")) !== publicKey) return "swapped";
    this.decrypter = new Decrypter();
    for (const line of identity.split("\n")) this.decrypter.addIdentity(line);
    return "opens";
  }
}

/** What people decided, as far as it can be read here; a fault when it is not what they signed. */
async function decisionsOf(
  folder: ReplayedFolder,
  read: ReadManifest,
  wrapped: Bytes | null,
): Promise<Decided | ArchiveFault | null> {
  try {
    const ledger = await readLedger(folder, read, new Signatures());
    return ledger && decidedOf(ledger, wrapped && (await sha256(wrapped)));
  } catch (error) {
    if (error instanceof ArchiveFault) return error;
    throw error;
  }
}
