import { useEffect, useRef, useState, type ClipboardEvent, type KeyboardEvent } from "react";
import { useText } from "../../../i18n/useText";
import type { RoomClient } from "../../../room/client";
import { TEXT_MAX_CHARS, textLength } from "../../../room/fileRules";
import { useStore } from "../../hooks";
import { AttachIcon, SendIcon } from "../panelIcons";
import { ChosenList } from "./ChosenList";
import type { ChosenFiles } from "./useChooseFiles";

/** Safari ends the composition before it tells of the Enter that ended it; only the old code 229 remembers. */
function composes(event: KeyboardEvent["nativeEvent"]): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other sign of it in Safari
  return event.isComposing || event.keyCode === 229;
}

/** Enter sends; while a Chinese input method composes, Enter belongs to it. Pure. */
export function sends(event: Pick<KeyboardEvent, "key" | "shiftKey" | "nativeEvent">): boolean {
  return event.key === "Enter" && !event.shiftKey && !composes(event.nativeEvent);
}

export function Composer({ client, files }: { client: RoomClient; files: ChosenFiles }) {
  const { text } = useText();
  const { chat } = text.panels;
  const draft = useStore(client.chat.draft);
  const [full, setFull] = useState(false);
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    input.current?.focus();
  }, []);
  const length = textLength(draft.trim());
  const tooLong = length > TEXT_MAX_CHARS;
  const empty = length === 0 && files.chosen.length === 0;
  const send = () => {
    if (empty || tooLong) return;
    setFull(!client.chat.send());
    files.forgetRefused();
    input.current?.focus();
  };
  const paste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    files.choose([...event.clipboardData.files]);
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <ChosenList files={files} />
      <div role="alert">
        {tooLong && <p className="problem">{chat.tooLong(length, TEXT_MAX_CHARS)}</p>}
        {full && <p className="problem">{chat.full}</p>}
        {files.refused.map(({ name, problem }, index) => (
          <p key={index} className="problem" data-testid="file-refused">
            {chat.refused[problem](name)}
          </p>
        ))}
      </div>
      <textarea
        ref={input}
        data-testid="chat-input"
        rows={2}
        dir="auto"
        aria-label={chat.input}
        aria-describedby="composer-hint"
        placeholder={chat.placeholder}
        value={draft}
        onChange={(event) => {
          client.chat.draft.set(event.target.value);
          setFull(false);
          files.forgetRefused();
        }}
        onKeyDown={(event) => {
          if (!sends(event)) return;
          event.preventDefault();
          send();
        }}
        onPaste={paste}
      />
      <div className="composer-ways">
        <ChooseButton onChoose={files.choose} />
        <span id="composer-hint" className="only-heard">
          {chat.hint}
        </span>
        <button type="submit" className="primary" data-testid="chat-send" disabled={empty || tooLong}>
          <SendIcon />
          {chat.send}
        </button>
      </div>
    </form>
  );
}

function ChooseButton({ onChoose }: { onChoose: (files: readonly File[]) => void }) {
  const { text } = useText();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="quiet icon-only"
        aria-label={text.panels.chat.attach}
        title={text.panels.chat.attach}
        onClick={() => {
          input.current?.click();
        }}
      >
        <AttachIcon />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="chat-file"
        aria-label={text.panels.chat.attach}
        onChange={(event) => {
          onChoose([...(event.target.files ?? [])]);
          // The same file may be chosen again after it was taken out.
          event.target.value = "";
        }}
      />
    </>
  );
}
