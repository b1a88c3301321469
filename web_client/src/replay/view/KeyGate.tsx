import { useId, useState, type SyntheticEvent } from "react";
import { shortKey } from "../format";
import { useReplayText } from "../words";
import type { KeyUse } from "./useKey";

/** The auditor's key: imported once, unlocked for this window, locked or forgotten. */
export function KeyGate({ state, compact }: { state: KeyUse; compact: boolean }) {
  if (state.phase === "looking") return null;
  if (compact) return <KeyBar state={state} />;
  return state.phase === "locked" ? <UnlockForm state={state} /> : <ImportForm state={state} />;
}

function KeyBar({ state }: { state: KeyUse }) {
  const words = useReplayText().key;
  return (
    <div className="replay-keybar" data-testid="key-unlocked">
      <span className="muted">{words.ready(shortKey(state.recipient))}</span>
      <button type="button" className="quiet" onClick={state.lock} data-testid="key-lock">
        {words.lock}
      </button>
    </div>
  );
}

function ImportForm({ state }: { state: KeyUse }) {
  const words = useReplayText().key;
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const file = data.get("identity");
    state.importKey(file instanceof File ? file : null, field(data, "passphrase"), field(data, "again"));
  };
  return (
    <form className="replay-key stack" onSubmit={submit} data-testid="key-import">
      <h2>{words.importTitle}</h2>
      <p>{words.importBody}</p>
      <Labelled label={words.file} name="identity" type="file" />
      <Labelled
        label={words.passphrase}
        name="passphrase"
        type="password"
        hint={words.passphraseHint}
        fresh
      />
      <Labelled label={words.again} name="again" type="password" fresh />
      <Problem state={state} />
      <button type="submit" className="primary" disabled={state.busy} data-testid="key-import-do">
        {state.busy ? words.working : words.import}
      </button>
    </form>
  );
}

function UnlockForm({ state }: { state: KeyUse }) {
  const words = useReplayText().key;
  const [asking, setAsking] = useState(false);
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    state.unlock(field(new FormData(event.currentTarget), "passphrase"));
  };
  return (
    <form className="replay-key stack" onSubmit={submit} data-testid="key-unlock">
      <h2>{words.unlockTitle}</h2>
      <p>{words.unlockBody(shortKey(state.recipient))}</p>
      <Labelled label={words.unlockPassphrase} name="passphrase" type="password" />
      <Problem state={state} />
      <div className="replay-row">
        <button type="submit" className="primary" disabled={state.busy} data-testid="key-unlock-do">
          {state.busy ? words.working : words.unlock}
        </button>
        <button
          type="button"
          className="quiet"
          data-testid="key-forget"
          onClick={() => {
            setAsking(true);
          }}
        >
          {words.forget}
        </button>
      </div>
      {asking && (
        <div className="hint-box" role="alert">
          <p>{words.forgetAsk}</p>
          <div className="replay-row">
            <button type="button" onClick={state.forget}>
              {words.forgetYes}
            </button>
            <button
              type="button"
              className="quiet"
              onClick={() => {
                setAsking(false);
              }}
            >
              {words.forgetNo}
            </button>
          </div>
        </div>
      )}
    </form>
  );
}

interface LabelledProps {
  label: string;
  name: string;
  type: "file" | "password";
  hint?: string;
  /** A new passphrase: password managers shall not fill in an old one. */
  fresh?: boolean;
}

function Labelled({ label, name, type, hint, fresh = false }: LabelledProps) {
  const id = useId();
  const hinted = hint === undefined ? {} : { "aria-describedby": `${id}-hint` };
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={name}
        type={type}
        autoComplete={fresh ? "new-password" : "off"}
        data-testid={`key-${name}`}
        {...hinted}
      />
      {hint !== undefined && (
        <p className="muted" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

function Problem({ state }: { state: KeyUse }) {
  const { problems } = useReplayText().key;
  const told = problems as Partial<Record<string, string>>;
  return (
    <p className="problem" role="alert" data-testid="key-problem">
      {state.problem === null ? "" : (told[state.problem] ?? problems.failed)}
    </p>
  );
}

function field(data: FormData, name: string): string {
  const value = data.get(name);
  return typeof value === "string" ? value : "";
}
