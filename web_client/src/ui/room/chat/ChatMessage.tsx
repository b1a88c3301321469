import { memo } from "react";
import { useText } from "../../../i18n/useText";
import type { ChatEntry } from "../../../protocol/messages";
import type { RoomClient } from "../../../room/client";
import { isPicture } from "../../../room/fileRules";
import { ChatFile } from "./ChatFile";
import { ChatPicture } from "./ChatPicture";

interface Props {
  client: RoomClient;
  entry: ChatEntry;
  own: boolean;
}

/** One message. Whatever was written is shown as text, and never runs. */
export const ChatMessage = memo(function ChatMessage({ client, entry, own }: Props) {
  const { text, language } = useText();
  const where = [text.roles[entry.role], entry.organisation].filter((part) => part !== "").join(" · ");
  return (
    <li className="chat-entry" data-testid="chat-entry" data-own={own}>
      <p className="chat-from">
        <bdi className="chat-name">{own ? text.panels.chat.you : entry.name}</bdi>
        <time className="muted tabular" dateTime={new Date(entry.at_us / 1000).toISOString()}>
          {timeOfDay(entry.at_us, language)}
        </time>
        {!own && <bdi className="muted chat-where">{where}</bdi>}
      </p>
      {entry.text !== "" && (
        <p className="chat-text" dir="auto">
          {entry.text}
        </p>
      )}
      {entry.files.map((file) =>
        isPicture(file.media_type) ? (
          <ChatPicture key={file.file_id} client={client} file={file} />
        ) : (
          <ChatFile key={file.file_id} client={client} file={file} />
        ),
      )}
    </li>
  );
});

function timeOfDay(atUs: number, language: string): string {
  return new Date(atUs / 1000).toLocaleTimeString(language, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
}
