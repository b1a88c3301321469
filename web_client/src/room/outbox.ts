import { ApiError } from "../api/http";
import type { Chat, ChatEntry, FileInfo } from "../protocol/messages";
import { Store } from "./store";

/** Not answered for so long: said again, with the same `ref`. */
const CONFIRM_LIMIT_MS = 8_000;
const RETRY_MS = 2_000;
/** More than a person writes while a network is away. */
export const WAITING_MAX = 100;

/** Refusals of a message that a little patience may overcome. */
const PASSING: ReadonlySet<string> = new Set([
  "unavailable",
  "internal",
  "not_admitted",
  "too_fast",
  // Uploads that broke off on the way.
  "bad_body",
  "too_slow",
]);

export interface OutgoingFile {
  key: string;
  name: string;
  sizeBytes: number;
  /** 0 … 1. */
  progress: number;
  /** At the server. */
  fileId: string | null;
}

/** A message of one's own that the server has not confirmed. */
export interface Outgoing {
  ref: string;
  text: string;
  files: readonly OutgoingFile[];
  state: "waiting" | "uploading" | "sending" | "failed";
  /** Problem code, once failed. */
  problem: string | null;
}

export interface OutboxParts {
  /** False when it cannot be said now. */
  say: (message: Chat) => boolean;
  /** Throws `ApiError`. */
  upload: (file: File, progress: (share: number) => void, signal: AbortSignal) => Promise<FileInfo>;
  newRef: () => string;
  /** Run later; returns how not to. */
  later: (act: () => void, ms: number) => () => void;
}

/**
 * Chat messages on their way: kept until the server shows them to everybody, one at a time and in order. Said again
 * after a lost connection with the same `ref`, so that none is lost and none is doubled.
 */
export class Outbox {
  readonly store = new Store<readonly Outgoing[]>([]);
  private readonly contents = new Map<string, File>();
  private connected = false;
  /** The message that is uploaded or said now. */
  private current: { ref: string; stop: () => void } | null = null;
  private keys = 0;

  constructor(private readonly parts: OutboxParts) {}

  /** Takes over a message; returns false when too many wait already. */
  add(text: string, files: readonly File[]): boolean {
    const before = this.store.get();
    if (before.length >= WAITING_MAX) return false;
    const outgoing = files.map((file) => this.hold(file));
    const entry: Outgoing = {
      ref: this.parts.newRef(),
      text,
      files: outgoing,
      state: "waiting",
      problem: null,
    };
    this.store.set([...before, entry]);
    this.go();
    return true;
  }

  /** The room is there: begin, or begin again. */
  open(): void {
    this.connected = true;
    this.go();
  }

  /** The room is away: everything waits. */
  pause(): void {
    this.connected = false;
    this.halt();
  }

  /** What everybody sees now. Messages of one's own among it have arrived. */
  seen(entries: readonly ChatEntry[], person: string): void {
    const arrived = new Set(entries.filter((entry) => entry.person === person).map((entry) => entry.ref));
    for (const { ref } of this.store.get()) if (arrived.has(ref)) this.drop(ref);
    this.go();
  }

  /** The server refused the message that was said last. */
  refused(code: string): void {
    const { current } = this;
    if (current === null || this.find(current.ref)?.state !== "sending") return;
    if (PASSING.has(code)) this.againLater(current.ref);
    else this.fail(current.ref, code);
  }

  retry(ref: string): void {
    const entry = this.find(ref);
    if (entry === null) return;
    // The server has forgotten the files: they are sent anew.
    const gone = entry.problem === "file_not_found";
    const files = gone ? entry.files.map((file) => ({ ...file, progress: 0, fileId: null })) : entry.files;
    this.change(ref, { state: "waiting", problem: null, files });
    this.go();
  }

  /** The person does not want to send it any more; returns what it was made of. */
  discard(ref: string): { text: string; files: readonly File[] } {
    const { text, files } = this.find(ref) ?? { text: "", files: [] };
    const contents = files.flatMap(({ key }) => this.contents.get(key) ?? []);
    this.drop(ref);
    this.go();
    return { text, files: contents };
  }

  /** Somebody else uses this page now. */
  clear(): void {
    for (const { ref } of this.store.get()) this.drop(ref);
  }

  private hold(file: File): OutgoingFile {
    const key = `f${(this.keys += 1)}`;
    this.contents.set(key, file);
    return { key, name: file.name, sizeBytes: file.size, progress: 0, fileId: null };
  }

  private go(): void {
    if (!this.connected || this.current !== null) return;
    const next = this.store.get().find((entry) => entry.state !== "failed");
    if (next === undefined) return;
    const abort = new AbortController();
    this.current = {
      ref: next.ref,
      stop: () => {
        abort.abort();
      },
    };
    void this.send(next.ref, abort.signal);
  }

  private async send(ref: string, signal: AbortSignal): Promise<void> {
    try {
      await this.uploadAll(ref, signal);
    } catch (error) {
      if (!signal.aborted) this.uploadFailed(ref, error);
      return;
    }
    const entry = this.find(ref);
    if (signal.aborted || entry === null) return;
    this.change(ref, { state: "sending" });
    const file_ids = entry.files.flatMap(({ fileId }) => fileId ?? []);
    this.parts.say({ type: "chat", ref, text: entry.text, file_ids });
    this.againIn(ref, CONFIRM_LIMIT_MS);
  }

  private async uploadAll(ref: string, signal: AbortSignal): Promise<void> {
    for (const { key, fileId } of this.find(ref)?.files ?? []) {
      const content = this.contents.get(key);
      if (fileId !== null || content === undefined) continue;
      this.change(ref, { state: "uploading" });
      const progress = (share: number) => {
        this.changeFile(ref, key, { progress: share });
      };
      const { file_id } = await this.parts.upload(content, progress, signal);
      signal.throwIfAborted();
      this.changeFile(ref, key, { progress: 1, fileId: file_id });
    }
  }

  private uploadFailed(ref: string, error: unknown): void {
    if (error instanceof ApiError && isDecision(error)) this.fail(ref, error.code);
    else this.againLater(ref);
  }

  private againLater(ref: string): void {
    this.change(ref, { state: "waiting" });
    this.againIn(ref, RETRY_MS);
  }

  /** Nothing else goes out before; what was waited for until now counts no more. */
  private againIn(ref: string, ms: number): void {
    this.current?.stop();
    const stop = this.parts.later(() => {
      this.current = null;
      this.go();
    }, ms);
    this.current = { ref, stop };
  }

  private fail(ref: string, problem: string): void {
    this.halt();
    this.change(ref, { state: "failed", problem });
    this.go();
  }

  private halt(): void {
    const { current } = this;
    this.current = null;
    current?.stop();
    if (current !== null) this.change(current.ref, { state: "waiting" });
  }

  private drop(ref: string): void {
    if (this.current?.ref === ref) this.halt();
    for (const { key } of this.find(ref)?.files ?? []) this.contents.delete(key);
    this.store.set(this.store.get().filter((entry) => entry.ref !== ref));
  }

  private find(ref: string): Outgoing | null {
    return this.store.get().find((entry) => entry.ref === ref) ?? null;
  }

  private change(ref: string, over: Partial<Outgoing>): void {
    this.store.set(this.store.get().map((entry) => (entry.ref === ref ? { ...entry, ...over } : entry)));
  }

  private changeFile(ref: string, key: string, over: Partial<OutgoingFile>): void {
    const files = this.find(ref)?.files.map((file) => (file.key === key ? { ...file, ...over } : file));
    if (files !== undefined) this.change(ref, { files });
  }
}

/** A full disk is an answer of the 500s, but asking again every two seconds makes no room. */
function isDecision(error: ApiError): boolean {
  return error.code === "no_space" || !(error.isTemporary || PASSING.has(error.code));
}
