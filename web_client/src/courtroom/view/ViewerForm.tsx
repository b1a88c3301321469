import { useId, type SyntheticEvent } from "react";
import { shortKey } from "../../replay/format";
import { useCourtroomText } from "../words";
import type { ViewerUse } from "./useViewer";

/** Who is looking, and with which key. */
export function ViewerForm({ use }: { use: ViewerUse }) {
  const words = useCourtroomText().viewer;
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const file = data.get("identity");
    use.give({
      name: field(data, "name"),
      file: file instanceof File ? file : null,
      pasted: field(data, "pasted"),
      passphrase: field(data, "passphrase"),
    });
  };
  return (
    <form className="replay-key stack" onSubmit={submit} data-testid="viewer-form" autoComplete="off">
      <h2>{words.title}</h2>
      <p>{words.body}</p>
      <Labelled label={words.name} name="name" type="text" hint={words.nameHint} />
      <Labelled label={words.file} name="identity" type="file" />
      <Pasted />
      <Labelled label={words.passphrase} name="passphrase" type="password" />
      <p className="problem" role="alert" data-testid="viewer-problem" data-problem={use.problem ?? ""}>
        {use.problem === null ? "" : (words.problems[use.problem] ?? words.problems["failed"])}
      </p>
      <button type="submit" className="primary" disabled={use.busy} data-testid="viewer-open">
        {use.busy ? words.working : words.open}
      </button>
    </form>
  );
}

/** Who is looking, and the way to forget their key. */
export function ViewerBar({ use }: { use: ViewerUse }) {
  const words = useCourtroomText().viewer;
  return (
    <div className="replay-keybar">
      <span className="muted">{words.ready(use.viewer?.display_name ?? "", shortKey(use.recipient))}</span>
      <button type="button" className="quiet" onClick={use.lock} data-testid="viewer-lock">
        {words.lock}
      </button>
    </div>
  );
}

function Pasted() {
  const words = useCourtroomText().viewer;
  const id = useId();
  return (
    <details className="courtroom-paste">
      <summary data-testid="viewer-paste">{words.paste}</summary>
      <label htmlFor={id}>{words.pasted}</label>
      <textarea
        id={id}
        name="pasted"
        rows={3}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-testid="viewer-pasted"
      />
    </details>
  );
}

interface LabelledProps {
  label: string;
  name: string;
  type: "text" | "file" | "password";
  hint?: string;
}

function Labelled({ label, name, type, hint }: LabelledProps) {
  const id = useId();
  const hinted = hint === undefined ? {} : { "aria-describedby": `${id}-hint` };
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <input id={id} name={name} type={type} autoComplete="off" data-testid={`viewer-${name}`} {...hinted} />
      {hint !== undefined && (
        <p className="muted" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

function field(data: FormData, name: string): string {
  const value = data.get(name);
  return typeof value === "string" ? value : "";
}
