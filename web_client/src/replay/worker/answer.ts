import type { Bytes } from "../format/bytes";
import { ReplayError, type Calls, type FromWorker, type Op, type ProblemCode } from "./protocol";

/** The part of a worker's global scope that its side needs; the compiler knows the page's only. */
export interface WorkerScope<Message> {
  postMessage: (message: FromWorker, transfer: Transferable[]) => void;
  onmessage: ((event: MessageEvent<Message>) => void) | null;
}

export type Handlers = {
  [Name in Op]: (ask: Calls[Name]["ask"], stop: AbortSignal) => Promise<Calls[Name]["answer"]>;
};
export type Say = (message: FromWorker, transfer?: Transferable[]) => void;
export type Asked = { [Name in Op]: { id: number; op: Name; ask: Calls[Name]["ask"] } }[Op];

/** What is being done, and can be stopped. */
const running = new Map<number, AbortController>();

/** Has the handler do it, and says the answer or why there is none. */
export function answer(handlers: Handlers, message: Asked, say: Say): void {
  const handler = handlers[message.op] as (ask: unknown, stop: AbortSignal) => Promise<unknown>;
  const stop = new AbortController();
  running.set(message.id, stop);
  handler(message.ask, stop.signal)
    .then(
      (found) => {
        say({ id: message.id, answer: found }, buffersIn(found));
      },
      (error: unknown) => {
        say({ id: message.id, problem: problemOf(error, stop.signal) });
      },
    )
    .finally(() => running.delete(message.id));
}

/** That is no longer wanted; its answer comes all the same, soon. */
export function abort(id: number): void {
  running.get(id)?.abort();
}

function problemOf(error: unknown, stop: AbortSignal): { code: ProblemCode; detail: string } {
  if (stop.aborted) return { code: "aborted", detail: "" };
  const known = error instanceof ReplayError ? error : new ReplayError("failed", String(error));
  return { code: known.code, detail: known.message };
}

/** What is given to the page instead of copied. */
function buffersIn(found: unknown): Transferable[] {
  const list: unknown[] = Array.isArray(found) ? found : [found];
  return list.filter((one) => one instanceof ArrayBuffer);
}

/** The bytes in a buffer of their own, which can be given away. */
export function ownBuffer({ buffer, byteOffset, byteLength }: Bytes): ArrayBuffer {
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
}
