import { useText } from "../../../i18n/useText";
import { personOf, unreadCount } from "../../../room/chatDesk";
import type { RoomClient } from "../../../room/client";
import type { RoomState } from "../../../room/state";
import { useStore } from "../../hooks";
import { ChatIcon } from "../panelIcons";
import { panelButtonId } from "../usePanels";

interface Props {
  client: RoomClient;
  state: RoomState;
  shown: boolean;
  onToggle: () => void;
}

/** Opens the chat; says how much in it is new. */
export function ChatButton({ client, state, shown, onToggle }: Props) {
  const { text } = useText();
  const { chat } = text.panels;
  const readUpTo = useStore(client.chat.readUpTo);
  const unread = shown || state.me === null ? 0 : unreadCount(state.chat, readUpTo, personOf(state.me));
  return (
    <button
      id={panelButtonId("chat")}
      type="button"
      data-testid="show-chat"
      data-unread={unread}
      aria-pressed={shown}
      onClick={onToggle}
    >
      <ChatIcon />
      <span>{chat.open}</span>
      {unread > 0 && (
        <>
          <span className="unread" aria-hidden="true">
            {unread > 99 ? "99+" : unread}
          </span>
          <span className="only-heard">{chat.unread(unread)}</span>
        </>
      )}
    </button>
  );
}
