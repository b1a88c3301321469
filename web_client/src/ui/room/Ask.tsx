import { useState } from "react";
import { Dialog } from "./Dialog";
import { DialogWays } from "./DialogWays";

interface Props {
  question: string;
  means: string;
  yes: string;
  /** Null when it worked; else what failed, in words: the person can try again. */
  onYes: () => Promise<string | null> | string | null;
  onClose: () => void;
}

/** Asks once, before what cannot be undone. The way back has the focus. */
export function Ask({ question, means, yes, onYes, onClose }: Props) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const act = async () => {
    setBusy(true);
    setProblem(null);
    const failed = await onYes();
    if (failed === null) {
      onClose();
      return;
    }
    setProblem(failed);
    setBusy(false);
  };
  return (
    <Dialog title={question} onClose={onClose} closable={false} testId="ask">
      <p>{means}</p>
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <DialogWays yes={yes} disabled={busy} onYes={() => void act()} onClose={onClose} />
    </Dialog>
  );
}
