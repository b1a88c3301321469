import { ArchiveRoom } from "../../replay/worker/archiveRoom";
import {
  abort,
  answer,
  ownBuffer,
  type Handlers,
  type Say,
  type WorkerScope,
} from "../../replay/worker/answer";
import type { Progress } from "../../replay/format/verify";
import { ReplayError, type ToWorker } from "../../replay/worker/protocol";
import { LocalFolder } from "../folder/localFolder";
import { compareMark, findMark, withMark } from "./evidence";
import { HeldKey } from "./heldKey";
import type { Begin } from "./protocol";

/**
 * Reads, compares, decrypts and verifies, away from the page, and is the only place that ever holds a key. Its code
 * is in the page, whose Content-Security-Policy it inherits: it can reach nothing but the files it was given.
 */

const scope = globalThis as unknown as WorkerScope<Begin | Exclude<ToWorker, { op: "token" }>>;
const say: Say = (message, transfer = []) => {
  scope.postMessage(message, transfer);
};

let begun: Begin | null = null;
const key = new HeldKey();
const room = new ArchiveRoom(key, () => folder(given()));

function given(): Begin {
  if (begun === null) throw new ReplayError("not-opened");
  return begun;
}

const folder = ({ files, prefix, trust }: Begin) => new LocalFolder(files, prefix, trust);

/** The online replay keeps keys between visits; here each one is held until the page is closed. */
const notHere = () => Promise.reject(new ReplayError("no-key"));

const handlers: Handlers = {
  keyState: () => Promise.resolve(key.state()),
  importKey: ({ identity, passphrase }) => key.take(identity, passphrase),
  unlock: notHere,
  forget: notHere,
  lock: () => {
    key.lock();
    room.close();
    return Promise.resolve(key.state());
  },
  open: ({ consultation }) => room.open(consultation),
  object: async ({ path, sha256 }) => ownBuffer(await room.object(path, sha256)),
  pieces: ({ wanted }, stop) => room.pieces(wanted, stop),
  events: ({ path, sha256, epochUs }) => room.events(path, sha256, epochUs),
  // Whatever its size: nothing has to be fetched. What this browser kept of a service is not asked for.
  verify: async ({ consultation }, stop) => {
    const { name, marks } = given();
    const manifest = await folder(given()).manifest();
    const mark = findMark(manifest, name, marks);
    const found = await compareMark(manifest, mark);
    const onProgress = (progress: Progress) => {
      say({ progress });
    };
    return withMark(await room.verify(consultation, onProgress, {}, stop), found, mark);
  },
};

scope.onmessage = ({ data }) => {
  if (data.op === "begin") begun = data;
  else if (data.op === "abort") abort(data.id);
  else answer(handlers, data, say);
};
