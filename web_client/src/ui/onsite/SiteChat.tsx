import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";
import { personOf } from "../../room/chatDesk";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { useStore } from "../hooks";
import { ChatMessage } from "../room/chat/ChatMessage";
import { ChatOutgoing } from "../room/chat/ChatOutgoing";
import { OpinionList } from "../room/opinion/OpinionList";
import { SiteFiles } from "./SiteFiles";

/** So many messages are within reach; all of them are in the room's own page. */
const SHOWN = 30;

interface Props {
  client: RoomClient;
  state: RoomState;
}

/** What the experts write, large; answered with one touch, or with files. Whoever writes more uses the other page. */
export function SiteChat({ client, state }: Props) {
  const { text } = useText();
  const words = text.stage.onsite;
  const outgoing = useStore(client.chat.outbox.store);
  const list = useRef<HTMLDivElement>(null);
  const shown = state.chat.slice(-SHOWN);
  const newest = shown.at(-1)?.chat_id ?? null;
  useEffect(() => {
    client.chat.readUpTo.set(newest);
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [client, newest, outgoing.length, state.opinions.length]);
  const me = state.me === null ? "" : personOf(state.me);
  return (
    <section className="onsite-chat" aria-label={words.chat} data-testid="onsite-chat">
      {shown.length + outgoing.length === 0 && <p className="muted no-chat">{words.noChat}</p>}
      <div
        ref={list}
        className="onsite-messages"
        // It scrolls, so it can be focused and moved with the arrow keys.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        role="log"
        aria-label={words.chat}
        data-own-keys
      >
        <ul>
          {shown.map((entry) => (
            <ChatMessage key={entry.chat_id} client={client} entry={entry} own={entry.person === me} />
          ))}
          {outgoing.map((entry) => (
            <ChatOutgoing key={entry.ref} client={client} entry={entry} />
          ))}
        </ul>
        <OpinionList opinions={state.opinions} />
      </div>
      <SiteFiles client={client} />
      <div className="onsite-answers" role="group" aria-label={words.quickAnswers}>
        {words.answers.map((answer) => (
          <button
            key={answer}
            type="button"
            data-testid="quick-answer"
            aria-label={words.answer(answer)}
            onClick={() => {
              client.chat.outbox.add(answer, []);
            }}
          >
            {answer}
          </button>
        ))}
      </div>
    </section>
  );
}
