import { ReplayWorker } from "../replay/worker/helper";
import type { Baked } from "./baked";
import type { Place } from "./folder/find";
import type { Files } from "./folder/files";
import type { Begin } from "./worker/protocol";

/** A worker that reads one consultation's folder. */
export function startFolderWorker(worker: Worker, files: Files, place: Place, baked: Baked): ReplayWorker {
  const { prefix, name } = place;
  const root = prefix.replace(/[^/]+\/$/, "");
  const needed = (path: string) =>
    path.startsWith(prefix) || path.startsWith(`${root}log/`) || path === `${root}trusted-signers.txt`;
  const below = new Map(Array.from(files).filter(([path]) => needed(path)));
  const begin: Begin = {
    op: "begin",
    files: below,
    prefix,
    name,
    trust: baked,
    marks: baked.made_for,
  };
  const started = new ReplayWorker(worker, () => Promise.resolve(null));
  worker.postMessage(begin);
  return started;
}
