import type { Bytes } from "../../replay/format/bytes";
import type { Beside } from "../../replay/format/verify";
import type { ReplayedFolder } from "../../replay/worker/archiveRoom";
import { ReplayError } from "../../replay/worker/protocol";
import type { LogSource } from "../../replay/format/logCheck";
import type { Trust } from "../baked";
import type { Files } from "./files";
import { LocalLog } from "./localLog";

/** Enough to hold the first line's consultation, which stands at its beginning. */
const FIRST_BYTES = 4096;
const OBJECT = /^(?:tracks|events|files)\/.*\.age$/;

/** A consultation's folder that the user chose. It is only read, and nothing of it goes anywhere. */
export class LocalFolder implements ReplayedFolder {
  /** In an archive's root its folder's name has to be the consultation's id; elsewhere it may have any. */
  readonly consultation?: string;
  /** The service's log, where the archive's root was chosen. */
  readonly log?: LogSource;

  constructor(
    private readonly files: Files,
    private readonly prefix: string,
    private readonly trusted: Trust,
  ) {
    const root = prefix.replace(/[^/]+\/$/, "");
    const [entries, checkpoints] = [`${root}log/entries.jsonl`, `${root}log/checkpoints.jsonl`].map((path) =>
      files.get(path),
    );
    if (files.has(`${root}trusted-signers.txt`)) this.consultation = prefix.slice(root.length, -1);
    if (trusted.logs.length === 0 || entries === undefined || checkpoints === undefined) return;
    this.log = new LocalLog({ entries, checkpoints }, trusted, () => this.consultationSaid());
  }

  manifest = () => this.read("manifest.jsonl");
  closing = () => this.read("closed.json");
  key = () => this.read("session.key.age");
  decisions = () => this.read("decisions.jsonl");
  object = (path: string) => this.read(path);
  keptObject = (path: string) => this.read(path);

  /** Without a service there is no record to put it on. */
  begin = () => Promise.resolve();
  signers = () => Promise.resolve([...this.trusted.signers]);

  people = () => Promise.resolve([...this.trusted.people]);

  /** By the manifest's first line; verification says whether that is true. */
  async consultationSaid(): Promise<string> {
    const manifest = await this.manifest();
    const first = manifest === null ? "" : new TextDecoder().decode(manifest.subarray(0, FIRST_BYTES));
    return /"consultation":"([A-Za-z0-9_-]{1,64})"/.exec(first)?.[1] ?? "";
  }

  beside(): Promise<Beside> {
    const unentered: string[] = [];
    for (const path of this.files.keys()) {
      const own = path.startsWith(this.prefix) ? path.slice(this.prefix.length) : "";
      if (OBJECT.test(own)) unentered.push(own);
    }
    return Promise.resolve({ unentered, decided: this.files.has(`${this.prefix}decisions.jsonl`) });
  }

  private async read(path: string): Promise<Bytes | null> {
    const file = this.files.get(this.prefix + path);
    if (file === undefined) return null;
    try {
      return new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      // Taken away since it was chosen: a disk that was unplugged, a file that was moved.
      if (error instanceof DOMException && error.name === "NotFoundError") return null;
      throw new ReplayError("unreachable", path);
    }
  }
}
