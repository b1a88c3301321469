import { useRef, useState } from "react";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { ChosenList } from "../room/chat/ChosenList";
import { useChooseFiles } from "../room/chat/useChooseFiles";
import { AttachIcon, SendIcon } from "../room/panelIcons";

/** Files beside the quick answers: chosen with one touch, looked at, sent with another. */
export function SiteFiles({ client }: { client: RoomClient }) {
  const { text } = useText();
  const { chat } = text.panels;
  const files = useChooseFiles(client.chat);
  const input = useRef<HTMLInputElement>(null);
  const [full, setFull] = useState(false);
  return (
    <div className="onsite-files">
      <ChosenList files={files} />
      <div role="alert">
        {full && <p className="problem">{chat.full}</p>}
        {files.refused.map(({ name, problem }, index) => (
          <p key={index} className="problem" data-testid="file-refused">
            {chat.refused[problem](name)}
          </p>
        ))}
      </div>
      <div className="onsite-file-ways">
        <button
          type="button"
          data-testid="site-attach"
          onClick={() => {
            input.current?.click();
          }}
        >
          <AttachIcon />
          <span>{chat.attach}</span>
        </button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          data-testid="site-file"
          aria-label={chat.attach}
          onChange={(event) => {
            setFull(false);
            files.choose([...(event.target.files ?? [])]);
            // The same file may be chosen again after it was taken out.
            event.target.value = "";
          }}
        />
        {files.chosen.length > 0 && (
          <button
            type="button"
            className="primary"
            data-testid="site-send"
            onClick={() => {
              setFull(!client.chat.send());
              files.forgetRefused();
            }}
          >
            <SendIcon />
            <span>{text.stage.onsite.sendFiles(files.chosen.length)}</span>
          </button>
        )}
      </div>
    </div>
  );
}
