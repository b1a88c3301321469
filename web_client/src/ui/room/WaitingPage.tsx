import { useText } from "../../i18n/useText";
import type { RoomState } from "../../room/state";
import { LanguageButton } from "../LanguageButton";

/** A guest at the door: nothing is seen or heard until a host lets them in. Leaving is always possible. */
export function WaitingPage({ state, onLeave }: { state: RoomState; onLeave: () => void }) {
  const { text } = useText();
  const { waiting } = text.panels;
  return (
    <main className="ended" data-testid="waiting">
      <h1>{waiting.title}</h1>
      <p role="status">
        {state.link === "reconnecting"
          ? waiting.reconnecting
          : state.site === ""
            ? waiting.bodyUnnamed
            : waiting.body(state.site)}
      </p>
      {state.me !== null && <p>{waiting.name(state.me.name)}</p>}
      <p className="muted">{waiting.private}</p>
      <div className="ways">
        <button type="button" data-testid="leave" onClick={onLeave}>
          {text.room.leave}
        </button>
        <LanguageButton />
      </div>
    </main>
  );
}
