import { abort, answer, ownBuffer, type Handlers, type WorkerScope } from "./answer";
import { ArchiveRoom } from "./archiveRoom";
import { KeyVault } from "./keyVault";
import type { FromWorker, ToWorker } from "./protocol";
import { keepToken, RemoteFolder } from "./remote";

/**
 * Fetches, compares, decrypts and verifies, away from the page, and is the only place that ever holds a key.
 * It is started once for playing and once for verifying.
 */

const scope = globalThis as unknown as WorkerScope<ToWorker>;
const waiting = new Map<number, (token: string | null) => void>();
let nextToken = 0;

function say(message: FromWorker, transfer: Transferable[] = []): void {
  scope.postMessage(message, transfer);
}

function askToken(refused: boolean): Promise<string | null> {
  nextToken += 1;
  const id = nextToken;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    say({ id, token: { refused } });
  });
}

const keptToken = keepToken(askToken);
const vault = new KeyVault();
const room = new ArchiveRoom(vault, (consultation) => new RemoteFolder(consultation, keptToken));

const handlers: Handlers = {
  keyState: ({ owner }) => vault.state(owner),
  importKey: ({ owner, identity, passphrase }) => vault.import(owner, identity, passphrase),
  unlock: ({ owner, passphrase }) => vault.unlock(owner, passphrase),
  lock: ({ owner }) => {
    vault.lock();
    room.close();
    return vault.state(owner);
  },
  forget: async ({ owner }) => {
    room.close();
    await vault.forget(owner);
    return vault.state(owner);
  },
  open: ({ consultation }) => room.open(consultation),
  object: async ({ path, sha256 }) => ownBuffer(await room.object(path, sha256)),
  pieces: ({ wanted }, stop) => room.pieces(wanted, stop),
  events: ({ path, sha256, epochUs }) => room.events(path, sha256, epochUs),
  verify: ({ consultation, ...options }, stop) =>
    room.verify(
      consultation,
      (progress) => {
        say({ progress });
      },
      options,
      stop,
    ),
};

scope.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.op === "token") {
    waiting.get(message.id)?.(message.token);
    waiting.delete(message.id);
    return;
  }
  if (message.op === "abort") abort(message.id);
  else answer(handlers, message, say);
};
