import { useState } from "react";
import { signOutElsewhere } from "../../api/calls";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";

type Phase = "idle" | "busy" | "done" | "failed";

/** For somebody who left a machine without signing out. */
export function ElsewhereSection({ session }: { session: Session }) {
  const { text } = useText();
  const words = text.pages.settings;
  const [phase, setPhase] = useState<Phase>("idle");
  const end = async () => {
    setPhase("busy");
    try {
      await signOutElsewhere(session);
      setPhase("done");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setPhase("failed");
    }
  };
  return (
    <div className="stack">
      <p className="field-hint">{words.signOutElsewhereHint}</p>
      <button
        type="button"
        data-testid="sign-out-elsewhere"
        disabled={phase === "busy"}
        onClick={() => void end()}
      >
        {words.signOutElsewhere}
      </button>
      <p role="status" className={phase === "failed" ? "problem" : "done"}>
        {phase === "done" && words.signedOutElsewhere}
        {phase === "failed" && words.signOutElsewhereFailed}
      </p>
    </div>
  );
}
