import type { Progress } from "../format/verify";
import { ReplayError, type Calls, type FromWorker, type Op, type ToWorker } from "./protocol";

export type TokenSource = (refused: boolean) => Promise<string | null>;

interface Pending {
  resolve: (answer: unknown) => void;
  reject: (error: ReplayError) => void;
}

/** The page's side of one worker. Ending it forgets every key it held. */
export class ReplayWorker {
  onProgress: (progress: Progress) => void = () => undefined;
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;

  constructor(
    private readonly worker: Pick<Worker, "postMessage" | "terminate" | "onmessage" | "onerror">,
    private readonly tokens: TokenSource,
  ) {
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      this.take(event.data);
    };
    worker.onerror = (event) => {
      this.failAll(new ReplayError("failed", event.message));
    };
  }

  /** Throws `ReplayError`; `aborted` when it was stopped. */
  call<Name extends Op>(
    op: Name,
    ask: Calls[Name]["ask"],
    stop?: AbortSignal,
  ): Promise<Calls[Name]["answer"]> {
    this.nextId += 1;
    const id = this.nextId;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.post({ id, op, ask } as ToWorker);
      const abort = () => {
        if (this.pending.has(id)) this.post({ id, op: "abort" });
      };
      stop?.addEventListener("abort", abort, { once: true });
    });
  }

  end(): void {
    this.worker.terminate();
    this.failAll(new ReplayError("failed", "ended"));
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private take(message: FromWorker): void {
    if ("progress" in message) this.onProgress(message.progress);
    else if ("token" in message) void this.giveToken(message.id, message.token.refused);
    else this.settle(message);
  }

  private settle(message: Exclude<FromWorker, { progress: Progress } | { token: unknown }>): void {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    if ("answer" in message) pending?.resolve(message.answer);
    else pending?.reject(new ReplayError(message.problem.code, message.problem.detail));
  }

  private async giveToken(id: number, refused: boolean): Promise<void> {
    const token = await this.tokens(refused).catch(() => null);
    this.post({ id, op: "token", token });
  }

  private failAll(error: ReplayError): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
