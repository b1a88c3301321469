import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { Ending } from "../../room/state";

interface Words {
  title: string;
  hint: string;
  way: "list" | "retry" | "sign-in";
}

/** Why it is over, and the way on. Server codes: `core/errors.py`. */
export function endingWords(ending: Ending, { endings }: Dictionary): Words {
  if (ending.kind === "consultation-ended") {
    return { title: endings.ended, hint: endings.endedHint, way: "list" };
  }
  if (ending.kind === "removed") return { title: endings.removed, hint: endings.removedHint, way: "list" };
  switch (ending.code) {
    case "unauthorized":
    case "signed_out":
    case "session_expired":
    case "refresh_token_reused":
    case "account_closed":
      return { title: endings.signedOut, hint: endings.signedOutHint, way: "sign-in" };
    case "forbidden":
    case "not_granted":
    case "wrong_room":
    case "role_may_not_join":
      return { title: endings.forbidden, hint: endings.forbiddenHint, way: "retry" };
    case "not_found":
      return { title: endings.notFound, hint: endings.notFoundHint, way: "retry" };
    case "consultation_closed":
      return { title: endings.ended, hint: endings.endedHint, way: "list" };
    case "room_full":
      return { title: endings.full, hint: endings.fullHint, way: "retry" };
    default:
      return {
        title: endings.refused,
        hint: endings.refusedHint(ending.detail || ending.code),
        way: "retry",
      };
  }
}

interface Props {
  ending: Ending;
  onList: () => void;
  onRetry: () => void;
  onSignIn: () => void;
}

export function EndedPage({ ending, onList, onRetry, onSignIn }: Props) {
  const { text } = useText();
  const { title, hint, way } = endingWords(ending, text);
  return (
    <main className="ended" data-testid="room-ended">
      <h1>{title}</h1>
      <p>{hint}</p>
      <div className="ways">
        {way === "retry" && (
          <button type="button" className="primary" onClick={onRetry}>
            {text.room.tryAgain}
          </button>
        )}
        {way === "sign-in" && (
          <button type="button" className="primary" onClick={onSignIn}>
            {text.room.signInAgain}
          </button>
        )}
        {way !== "sign-in" && (
          <button type="button" className={way === "list" ? "primary" : ""} onClick={onList}>
            {text.room.backToList}
          </button>
        )}
      </div>
    </main>
  );
}
