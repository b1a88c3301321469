import { ReplayWorker, type TokenSource } from "./helper";

/** A worker that fetches from the service. */
export function startReplayWorker(tokens: TokenSource): ReplayWorker {
  // Vite finds the worker by this very form.
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  return new ReplayWorker(worker, tokens);
}
