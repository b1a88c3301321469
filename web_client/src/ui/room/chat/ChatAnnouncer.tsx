import { useText } from "../../../i18n/useText";
import { personOf } from "../../../room/chatDesk";
import type { RoomState } from "../../../room/state";

/** Tells a screen reader politely what others write, whether the chat is open or not. */
export function ChatAnnouncer({ state }: { state: RoomState }) {
  const { text } = useText();
  const { latestChat: entry, me } = state;
  const theirs = entry !== null && me !== null && entry.person !== personOf(me) ? entry : null;
  const { announced, announcedFiles } = text.panels.chat;
  return (
    <div className="only-heard" role="status" data-testid="chat-announcer">
      {theirs !== null &&
        (theirs.text === ""
          ? announcedFiles(theirs.name, theirs.files.length)
          : announced(theirs.name, theirs.text))}
    </div>
  );
}
