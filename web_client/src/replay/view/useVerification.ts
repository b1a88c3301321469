import { useEffect, useState } from "react";
import { keptHeadsText } from "../../room/keptHeads";
import type { Store } from "../../room/store";
import type { Progress, Report } from "../format/verify";
import type { ReplayWorker } from "../worker/helper";
import type { Verdicts } from "./ReplayApp";

export interface Verification {
  phase: "running" | "done" | "failed" | "stopped";
  progress: Progress | null;
  report: Report | null;
}

/** Progress is shown this often at most. */
const SHOW_EVERY_MS = 200;
/** More than this is not fetched and compared without being asked. */
const UNASKED_BYTES = 2_000_000_000;

interface Attempt {
  number: number;
  upToBytes: number | null;
}

const RUNNING: Verification = { phase: "running", progress: null, report: null };

/** Verifies in a worker of its own, beside the replay; again, or all of it, when it is asked for. */
export function useVerification(
  startWorker: () => ReplayWorker,
  consultation: string,
  verdicts: Store<Verdicts>,
): Verification & { start: () => void; stop: () => void } {
  const [attempt, setAttempt] = useState<Attempt>({ number: 0, upToBytes: UNASKED_BYTES });
  const [found, setFound] = useState<{ of: number; state: Verification }>({ of: 0, state: RUNNING });
  const state = found.of === attempt.number ? found.state : RUNNING;
  const stopped = state.phase === "stopped";
  useEffect(() => {
    if (stopped) return;
    const { number, upToBytes } = attempt;
    const show = (next: Verification) => {
      setFound({ of: number, state: next });
    };
    return verify(startWorker(), consultation, upToBytes, (next) => {
      show(next);
      if (next.report?.compared !== true) return;
      verdicts.set(new Map(verdicts.get()).set(consultation, next.report.verdict));
    });
  }, [startWorker, consultation, verdicts, attempt, stopped]);
  return {
    ...state,
    start: () => {
      setAttempt(({ number }) => ({ number: number + 1, upToBytes: null }));
    },
    stop: () => {
      setFound({ of: attempt.number, state: { phase: "stopped", progress: null, report: null } });
    },
  };
}

/** Returns what ends it. `upToBytes`: null compares everything. */
function verify(
  worker: ReplayWorker,
  consultation: string,
  upToBytes: number | null,
  show: (next: Verification) => void,
): () => void {
  let ended = false;
  let shownMs = 0;
  worker.onProgress = (progress) => {
    if (ended || performance.now() - shownMs < SHOW_EVERY_MS) return;
    shownMs = performance.now();
    show({ phase: "running", progress, report: null });
  };
  const kept = keptHeadsText(() => window.localStorage);
  const options = upToBytes === null ? { kept } : { kept, upToBytes };
  worker.call("verify", { consultation, ...options }).then(
    (report) => {
      if (!ended) show({ phase: "done", progress: null, report });
    },
    () => {
      if (!ended) show({ phase: "failed", progress: null, report: null });
    },
  );
  return () => {
    ended = true;
    worker.end();
  };
}
