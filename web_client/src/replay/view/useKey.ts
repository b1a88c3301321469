import { useEffect, useState } from "react";
import type { ReplayWorker } from "../worker/helper";
import { ReplayError, type KeyState, type ProblemCode } from "../worker/protocol";

export type KeyProblem = ProblemCode | "short" | "different" | "noFile";

/** The auditor's key, as the page may know of it. */
export interface KeyUse {
  /** `none`: there is no key in this browser. */
  phase: "looking" | "none" | "locked" | "unlocked";
  recipient: string;
  busy: boolean;
  problem: KeyProblem | null;
  importKey: (file: File | null, passphrase: string, again: string) => void;
  unlock: (passphrase: string) => void;
  lock: () => void;
  forget: () => void;
}

export const PASSPHRASE_MIN_CHARS = 12;
const IDENTITY_MAX_BYTES = 65_536;

export function useKey(worker: ReplayWorker, owner: string): KeyUse {
  const [state, setState] = useState<KeyState | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<KeyProblem | null>(null);
  const take = (asked: Promise<KeyState>) => {
    setBusy(true);
    setProblem(null);
    asked
      .then(setState, (error: unknown) => {
        setProblem(error instanceof ReplayError ? error.code : "failed");
      })
      .finally(() => {
        setBusy(false);
      });
  };
  useEffect(() => {
    worker.call("keyState", { owner }).then(setState, (error: unknown) => {
      setProblem(error instanceof ReplayError ? error.code : "failed");
      setState({ stored: null, unlocked: false });
    });
  }, [worker, owner]);
  return {
    phase: phaseOf(state),
    recipient: state?.stored?.recipient ?? "",
    busy,
    problem,
    importKey: (file, passphrase, again) => {
      const wrong = mistake(file, passphrase, again);
      if (wrong !== null || file === null) setProblem(wrong);
      else take(importFrom(worker, owner, file, passphrase));
    },
    unlock: (passphrase) => {
      take(worker.call("unlock", { owner, passphrase }));
    },
    lock: () => {
      take(worker.call("lock", { owner }));
    },
    forget: () => {
      take(worker.call("forget", { owner }));
    },
  };
}

function phaseOf(state: KeyState | null): KeyUse["phase"] {
  if (state === null) return "looking";
  if (state.stored === null) return "none";
  return state.unlocked ? "unlocked" : "locked";
}

function mistake(file: File | null, passphrase: string, again: string): KeyProblem | null {
  if (file === null || file.size === 0) return "noFile";
  if (file.size > IDENTITY_MAX_BYTES) return "not-an-identity";
  if (Array.from(passphrase).length < PASSPHRASE_MIN_CHARS) return "short";
  return passphrase === again ? null : "different";
}

async function importFrom(
  worker: ReplayWorker,
  owner: string,
  file: File,
  passphrase: string,
): Promise<KeyState> {
  return worker.call("importKey", { owner, identity: await file.text(), passphrase });
}
