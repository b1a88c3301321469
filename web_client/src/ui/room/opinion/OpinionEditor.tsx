import { useId, useState } from "react";
import { useText } from "../../../i18n/useText";
import type { RoomClient } from "../../../room/client";
import { textLength } from "../../../room/fileRules";
import { canFile, OPINION_MAX_CHARS } from "../../../room/opinionDesk";
import { useStore } from "../../hooks";
import { Ask } from "../Ask";

/** From so many characters on, the rest is counted. */
const COUNT_BELOW_CHARS = 500;

interface Props {
  client: RoomClient;
  /** This person has filed one before: what is written now stands beside it. */
  addendum: boolean;
}

/** Where a specialist writes. Filing asks once, because it cannot be taken back. */
export function OpinionEditor({ client, addendum }: Props) {
  const { text } = useText();
  const words = text.panels.opinion;
  const draft = useStore(client.opinion.store);
  const [asking, setAsking] = useState(false);
  const id = useId();
  const filing = draft.phase === "filing";
  const left = OPINION_MAX_CHARS - textLength(draft.text);
  return (
    <form
      className="opinion-editor"
      data-phase={draft.phase}
      onSubmit={(event) => {
        event.preventDefault();
        if (!filing && canFile(draft.text)) setAsking(true);
      }}
    >
      <label htmlFor={id}>{addendum ? words.addendum : words.write}</label>
      <textarea
        id={id}
        data-testid="opinion-input"
        rows={7}
        dir="auto"
        spellCheck={false}
        readOnly={filing}
        aria-describedby={`${id}-hint`}
        aria-invalid={left < 0}
        placeholder={words.placeholder}
        value={draft.text}
        onChange={(event) => {
          client.opinion.edit(event.target.value);
        }}
      />
      <p id={`${id}-hint`} className="field-hint">
        {left < COUNT_BELOW_CHARS && left >= 0
          ? words.left(left)
          : addendum
            ? words.addendumHint
            : words.draft}
      </p>
      <div role="alert">
        {left < 0 && <p className="problem">{words.tooLong(-left)}</p>}
        {draft.phase === "refused" && (
          <p className="problem" data-testid="opinion-refused">
            {refusedWords(draft.problem, words.failed)}
          </p>
        )}
      </div>
      <div className="composer-ways">
        <span role="status" className="muted">
          {filing && words.filing}
        </span>
        <button
          type="submit"
          className="primary"
          data-testid="opinion-file"
          disabled={filing || !canFile(draft.text)}
        >
          {addendum ? words.fileAddendum : words.file}
        </button>
      </div>
      {asking && (
        <Ask
          question={words.ask}
          means={words.askBody}
          yes={words.askYes}
          onYes={() => {
            client.opinion.file();
            return null;
          }}
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </form>
  );
}

type Failed = { other: (code: string) => string } & Record<string, unknown>;

/** Pure. */
export function refusedWords(code: string, failed: Failed): string {
  const known = code === "other" ? undefined : failed[code];
  return typeof known === "string" ? known : failed.other(code);
}
