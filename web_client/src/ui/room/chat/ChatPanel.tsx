import { useEffect, useEffectEvent, useRef, useState, type DragEvent, type UIEvent } from "react";
import { useText } from "../../../i18n/useText";
import { personOf } from "../../../room/chatDesk";
import type { RoomClient } from "../../../room/client";
import type { RoomState } from "../../../room/state";
import { useStore } from "../../hooks";
import { Panel } from "../Panel";
import { ChatMessage } from "./ChatMessage";
import { ChatOutgoing } from "./ChatOutgoing";
import { Composer } from "./Composer";
import { useChooseFiles } from "./useChooseFiles";

/** So close to the end counts as at the end. */
const NEAR_END_PX = 48;

interface Props {
  client: RoomClient;
  state: RoomState;
  onClose: () => void;
}

/** What was written in this consultation, and where one writes. Files may be dropped anywhere on it. */
export function ChatPanel({ client, state, onClose }: Props) {
  const { text } = useText();
  const files = useChooseFiles(client.chat);
  const [dragged, setDragged] = useState(false);
  const over = (event: DragEvent) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    setDragged(true);
  };
  return (
    <Panel
      title={text.panels.chat.title}
      testId="chat-panel"
      onClose={onClose}
      onDragOver={over}
      onDragLeave={() => {
        setDragged(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setDragged(false);
        files.choose([...event.dataTransfer.files]);
      }}
    >
      <Log client={client} state={state} />
      {dragged && <p className="chat-drop">{text.panels.chat.drop}</p>}
      <Composer client={client} files={files} />
    </Panel>
  );
}

function Log({ client, state }: Omit<Props, "onClose">) {
  const { text } = useText();
  const outgoing = useStore(client.chat.outbox.store);
  const { chat, me } = state;
  const own = me === null ? "" : personOf(me);
  const { log, below, toEnd, onScroll } = useStayAtEnd(chat.length + outgoing.length);
  useRead(client, state);
  return (
    <div
      className="chat-log"
      ref={log}
      // A list that scrolls has to be reachable without a mouse.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      role="group"
      aria-label={text.panels.chat.log}
      onScroll={onScroll}
    >
      {chat.length + outgoing.length === 0 && <p className="muted">{text.panels.chat.empty}</p>}
      <ol>
        {chat.map((entry) => (
          <ChatMessage key={entry.chat_id} client={client} entry={entry} own={entry.person === own} />
        ))}
        {outgoing.map((entry) => (
          <ChatOutgoing key={entry.ref} client={client} entry={entry} />
        ))}
      </ol>
      {below && (
        <button type="button" className="chat-below" onClick={toEnd}>
          {text.panels.chat.newMessages}
        </button>
      )}
    </div>
  );
}

/** Whatever is on screen in a page that is looked at has been read. */
function useRead(client: RoomClient, { chat }: RoomState): void {
  const last = chat.at(-1)?.chat_id ?? null;
  useEffect(() => {
    const read = () => {
      if (document.visibilityState === "visible" && last !== null) client.chat.readUpTo.set(last);
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => {
      document.removeEventListener("visibilitychange", read);
    };
  }, [client, last]);
}

/** Follows the newest message, but never takes away what somebody scrolled up to read. */
function useStayAtEnd(count: number) {
  const log = useRef<HTMLDivElement>(null);
  // How many messages there were when the end went out of sight; null while one is at the end.
  const [left, setLeft] = useState<number | null>(null);
  const toEnd = () => {
    setLeft(null);
    if (log.current !== null) log.current.scrollTop = log.current.scrollHeight;
  };
  const follow = useEffectEvent(() => {
    if (left === null) toEnd();
  });
  useEffect(() => {
    if (log.current === null) return undefined;
    // Messages come, pictures grow, and the field below takes space: the end stays in sight.
    const observer = new ResizeObserver(() => {
      follow();
    });
    observer.observe(log.current);
    for (const child of log.current.children) observer.observe(child);
    return () => {
      observer.disconnect();
    };
  }, []);
  const onScroll = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }: UIEvent<HTMLElement>) => {
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    setLeft((before) => (atEnd ? null : (before ?? count)));
  };
  return { log, below: left !== null && count > left, toEnd, onScroll };
}
