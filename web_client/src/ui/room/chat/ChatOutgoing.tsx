import type { Dictionary } from "../../../i18n/en";
import { useText } from "../../../i18n/useText";
import type { RoomClient } from "../../../room/client";
import type { Outgoing } from "../../../room/outbox";
import { FileIcon } from "../panelIcons";
import { sizeWords } from "./sizeWords";

/** What the state of an unconfirmed message is called. Pure. */
export function outgoingWords(entry: Outgoing, { panels: { chat } }: Pick<Dictionary, "panels">): string {
  switch (entry.state) {
    case "waiting":
      return chat.waiting;
    case "uploading":
      return chat.uploading(Math.floor(sentShare(entry) * 100));
    case "sending":
      return chat.sending;
    case "failed":
      return failedWords(entry.problem ?? "error", chat.failed);
  }
}

function failedWords(code: string, words: Dictionary["panels"]["chat"]["failed"]): string {
  if (code === "too_large" || code === "no_space" || code === "not_granted") return words[code];
  return words.other(code);
}

/** How much of all its files has been sent, 0 … 1. Pure. */
export function sentShare({ files }: Pick<Outgoing, "files">): number {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const sent = files.reduce((sum, { sizeBytes, progress }) => sum + sizeBytes * progress, 0);
  return total === 0 ? 1 : sent / total;
}

/** One's own message until everybody sees it: what happens to it, and what can be done about it. */
export function ChatOutgoing({ client, entry }: { client: RoomClient; entry: Outgoing }) {
  const { text } = useText();
  const { chat } = text.panels;
  const { outbox } = client.chat;
  const failed = entry.state === "failed";
  return (
    <li className="chat-entry outgoing" data-testid="chat-outgoing" data-state={entry.state} data-own="true">
      <p className="chat-from">
        <span className="chat-name">{chat.you}</span>
        <span className={failed ? "problem" : "muted"} role={failed ? "alert" : undefined}>
          {outgoingWords(entry, text)}
        </span>
      </p>
      {entry.text !== "" && (
        <p className="chat-text" dir="auto">
          {entry.text}
        </p>
      )}
      {entry.files.map((file) => (
        <p key={file.key} className="chat-file">
          <FileIcon />
          <bdi className="file-name">{file.name}</bdi>
          <span className="muted">{sizeWords(file.sizeBytes, text)}</span>
        </p>
      ))}
      {entry.state === "uploading" && <progress max={1} value={sentShare(entry)} aria-label={chat.sending} />}
      <Ways
        entry={entry}
        onAgain={() => {
          outbox.retry(entry.ref);
        }}
        onEdit={() => {
          client.chat.edit(entry.ref);
        }}
        onDiscard={() => {
          outbox.discard(entry.ref);
        }}
      />
    </li>
  );
}

interface WaysProps {
  entry: Outgoing;
  onAgain: () => void;
  onEdit: () => void;
  onDiscard: () => void;
}

function Ways({ entry, onAgain, onEdit, onDiscard }: WaysProps) {
  const { text } = useText();
  const { chat } = text.panels;
  const failed = entry.state === "failed";
  // What was said already may be there: taking it back would be a lie.
  if (entry.state === "sending") return null;
  return (
    <div className="outgoing-ways">
      {failed && (
        <>
          <button type="button" onClick={onAgain}>
            {chat.again}
          </button>
          <button type="button" onClick={onEdit}>
            {chat.edit}
          </button>
        </>
      )}
      <button type="button" className="quiet" onClick={onDiscard}>
        {chat.stop}
      </button>
    </div>
  );
}
