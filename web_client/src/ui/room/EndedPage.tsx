import { useEffect, useRef } from "react";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { Ending } from "../../room/state";
import { codeWords } from "./problemWords";

interface Words {
  title: string;
  hint: string;
  /** What helps first: back to the list, the room once more, signing in, or nothing that this page can do. */
  way: "list" | "retry" | "sign-in" | "none";
  /** What the way is called where its usual name would mislead. */
  action?: string;
}

/** Why it is over, and the way on. Server codes: `core/errors.py`. */
export function endingWords(ending: Ending, text: Dictionary, guest = false): Words {
  const { endings, panels } = text;
  switch (ending.kind) {
    case "consultation-ended":
      return guest
        ? { title: endings.ended, hint: panels.endings.guestEnded, way: "none" }
        : { title: endings.ended, hint: endings.endedHint, way: "list" };
    case "removed":
      return { title: endings.removed, hint: endings.removedHint, way: guest ? "none" : "list" };
    case "turned-away":
      return {
        title: panels.endings.turnedAway,
        hint: panels.endings.turnedAwayHint,
        way: "retry",
        action: panels.endings.askAgain,
      };
    case "taken-over":
      return {
        title: panels.endings.takenOver,
        hint: panels.endings.takenOverHint,
        way: "retry",
        action: panels.endings.comeBack,
      };
    case "refused":
      return refusedWords(ending.code, ending.detail, text, guest);
  }
}

function refusedWords(code: string, detail: string, { endings, panels }: Dictionary, guest: boolean): Words {
  const revoked: Words = { title: panels.endings.revoked, hint: panels.endings.revokedHint, way: "none" };
  switch (code) {
    case "invitation_revoked":
    case "invitation_expired":
      return revoked;
    case "unauthorized":
    case "signed_out":
    case "session_expired":
    case "refresh_token_reused":
    case "account_closed":
    case "token_revoked":
    case "token_expired":
      return guest ? revoked : { title: endings.signedOut, hint: endings.signedOutHint, way: "sign-in" };
    case "forbidden":
    case "not_granted":
    case "wrong_room":
    case "role_may_not_join":
      return guest ? revoked : { title: endings.forbidden, hint: endings.forbiddenHint, way: "retry" };
    case "not_found":
      return guest ? revoked : { title: endings.notFound, hint: endings.notFoundHint, way: "retry" };
    case "lobby_full":
      return { title: panels.endings.lobbyFull, hint: panels.endings.lobbyFullHint, way: "retry" };
    case "room_full":
      return { title: endings.full, hint: endings.fullHint, way: "retry" };
    default:
      return {
        title: endings.refused,
        hint: endings.refusedHint(codeWords(code, detail, panels)),
        way: "retry",
      };
  }
}

interface Props {
  ending: Ending;
  /** Came by an invitation: has no list, and nothing to sign in with. */
  guest?: boolean;
  onList: () => void;
  onRetry: () => void;
  onSignIn: () => void;
}

export function EndedPage({ ending, guest = false, onList, onRetry, onSignIn }: Props) {
  const { text } = useText();
  const { title, hint, way, action } = endingWords(ending, text, guest);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // The page changed under the person: what is read out begins with why.
    heading.current?.focus();
  }, []);
  return (
    <main className="ended" data-testid="room-ended" data-ending={ending.kind}>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <p>{hint}</p>
      <div className="ways">
        {way === "retry" && (
          <button type="button" className="primary" data-testid="try-again" onClick={onRetry}>
            {action ?? text.room.tryAgain}
          </button>
        )}
        {way === "sign-in" && (
          <button type="button" className="primary" onClick={onSignIn}>
            {text.room.signInAgain}
          </button>
        )}
        {way !== "sign-in" && !guest && (
          <button
            type="button"
            className={way === "list" ? "primary" : ""}
            data-testid="back-to-list"
            onClick={onList}
          >
            {text.room.backToList}
          </button>
        )}
      </div>
    </main>
  );
}
