import { useState } from "react";
import type { Viewer } from "../../replay/view/Watermark";
import type { ReplayWorker } from "../../replay/worker/helper";
import { ReplayError } from "../../replay/worker/protocol";

export interface Given {
  name: string;
  file: File | null;
  pasted: string;
  passphrase: string;
}

export interface ViewerUse {
  /** Null: nobody has said who they are and given a key yet. */
  viewer: Viewer | null;
  /** The public half of the key that is held. */
  recipient: string;
  busy: boolean;
  problem: string | null;
  give: (given: Given) => void;
  lock: () => void;
}

const IDENTITY_MAX_BYTES = 65_536;

/** Who is looking. The key goes to the worker and is not kept here. */
export function useViewer(worker: ReplayWorker): ViewerUse {
  const [viewer, setViewer] = useState<Viewer | null>(null);
  const [recipient, setRecipient] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  return {
    viewer,
    recipient,
    busy,
    problem,
    give: (given) => {
      const wrong = mistake(given);
      setProblem(wrong);
      if (wrong !== null) return;
      const name = given.name.trim();
      setBusy(true);
      contentOf(given)
        .then((identity) => worker.call("importKey", { owner: "", identity, passphrase: given.passphrase }))
        .then(
          ({ stored }) => {
            setRecipient(stored?.recipient ?? "");
            setViewer({ display_name: name, username: name });
          },
          (error: unknown) => {
            setProblem(error instanceof ReplayError ? error.code : "failed");
          },
        )
        .finally(() => {
          setBusy(false);
        });
    },
    lock: () => {
      void worker.call("lock", { owner: "" });
      setViewer(null);
      setRecipient("");
    },
  };
}

function mistake({ name, file, pasted }: Given): string | null {
  if (name.trim() === "") return "noName";
  const hasFile = file !== null && file.size > 0;
  if (!hasFile && pasted.trim() === "") return "noKey";
  return hasFile && file.size > IDENTITY_MAX_BYTES ? "not-an-identity" : null;
}

/** One character per byte: a protected identity file is binary. */
async function contentOf({ file, pasted }: Given): Promise<string> {
  if (file === null || file.size === 0) return pasted;
  const bytes = new Uint8Array(await file.arrayBuffer());
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
