import { useEffect, useRef, useState } from "react";
import type { Me, Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { hashOf } from "../route";
import { ChoiceFields } from "./ChoiceFields";
import { ConsentFields } from "./ConsentFields";
import { PatientFields } from "./PatientFields";
import { QuestionFields } from "./QuestionFields";
import { Draft } from "./draft";
import { Submission, type Result } from "./submission";
import { useOffered, type Offered } from "./useOffered";
import { EMPTY, FIELDS, headerOf, mistakesIn, type Field, type Mistakes, type Values } from "./values";

/** What every part of the form gets. */
export interface PartProps {
  values: Values;
  mistakes: Mistakes;
  set: (change: Partial<Values>) => void;
}

interface Props {
  session: Session;
  me: Me;
  onOpened: (room: string) => void;
}

export function RequestForm({ session, me, onOpened }: Props) {
  const { text } = useText();
  const words = text.pages.form;
  const offered = useOffered(session, me);
  const { values, restored, set, discard, forget } = useValues(me.user_id);
  const { mistakes, submit, busy, result } = useSubmit({ session, values, offered, set });
  const form = useRef<HTMLFormElement>(null);
  const send = async () => {
    const ended = await submit();
    if (ended?.kind === "opened") {
      forget();
      onOpened(ended.room);
    } else focusFirstMistake(form.current);
  };
  const part: PartProps = { values, mistakes, set };
  const count = Object.keys(mistakes).length;
  return (
    <form
      ref={form}
      className="request-form"
      data-testid="form"
      noValidate
      aria-busy={busy}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <p className="muted">{words.intro}</p>
      {restored && values.name === "" && (
        <p className="hint-box" role="status" data-testid="draft-restored">
          {words.restored}
        </p>
      )}
      <PatientFields {...part} />
      <QuestionFields {...part} />
      <ChoiceFields {...part} offered={offered} />
      <ConsentFields {...part} retention={offered.retention} />
      <div className="form-end">
        <button type="submit" className="primary" data-testid="open-consultation" disabled={busy}>
          {busy ? words.submitting : words.submit}
        </button>
        <button type="button" className="quiet" data-testid="discard" onClick={discard} disabled={busy}>
          {words.discard}
        </button>
        <div role="alert" className="form-problem">
          {count > 0 && <p className="problem">{words.check(count)}</p>}
          <Outcome result={result} />
        </div>
      </div>
    </form>
  );
}

/** What is typed, kept over reloads. */
function useValues(userId: string) {
  const [draft] = useState(() => new Draft(window.sessionStorage, userId));
  const [stored] = useState(() => draft.load());
  const [values, setValues] = useState<Values>(stored ?? EMPTY);
  const [keep, setKeep] = useState(false);
  const [discarded, setDiscarded] = useState(false);
  useEffect(() => {
    if (keep) draft.save(values);
  }, [draft, values, keep]);
  return {
    values,
    restored: stored !== null && !discarded,
    set: (change: Partial<Values>) => {
      setKeep(true);
      setValues((before) => ({ ...before, ...change }));
    },
    discard: () => {
      setKeep(false);
      setDiscarded(true);
      setValues(EMPTY);
      draft.clear();
    },
    forget: () => {
      setKeep(false);
      draft.clear();
    },
  };
}

interface SubmitParts {
  session: Session;
  values: Values;
  offered: Offered;
  set: PartProps["set"];
}

function useSubmit({ session, values, offered, set }: SubmitParts) {
  const [submission] = useState(() => new Submission(session));
  const [checked, setChecked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<Result | null>(null);
  /** What the server refused: said until the entry changes. */
  const [refused, setRefused] = useState<{ field: Field; values: Values; gone: boolean } | null>(null);
  const mistakes: Mistakes = checked ? mistakesIn(values) : {};
  if (refused !== null && refused.values[refused.field as "name"] === values[refused.field as "name"]) {
    mistakes[refused.field] ??= refused.gone ? "gone" : "refused";
  }
  const submit = async (): Promise<Result | null> => {
    setChecked(true);
    setResult(null);
    if (Object.keys(mistakesIn(values)).length > 0) return null;
    setBusy(true);
    const ended = await submission.open(values, headerOf(values));
    setBusy(false);
    setResult(ended);
    if (ended?.kind === "field") {
      const change = ended.gone ? { [ended.field]: EMPTY[ended.field] } : {};
      if (ended.gone) offered.reload();
      set(change);
      setRefused({ field: ended.field, values: { ...values, ...change }, gone: ended.gone });
    }
    return ended;
  };
  return { mistakes, submit, busy, result };
}

function focusFirstMistake(form: HTMLFormElement | null): void {
  // After React has marked what is wrong.
  requestAnimationFrame(() => {
    for (const field of FIELDS) {
      const input = form?.querySelector<HTMLElement>(`[data-field="${field}"] [aria-invalid="true"]`);
      if (input) {
        input.focus();
        return;
      }
    }
  });
}

function Outcome({ result }: { result: Result | null }) {
  const { text } = useText();
  const words = text.pages.form;
  if (result?.kind === "trouble") return <p className="problem">{words.trouble[result.trouble]}</p>;
  if (result?.kind !== "exists") return null;
  return (
    <p className="hint-box" data-testid="already-open">
      {words.exists}{" "}
      <a href={hashOf(result.room === null ? { page: "list" } : { page: "room", room: result.room })}>
        {result.room === null ? text.room.backToList : words.existsEnter}
      </a>
    </p>
  );
}
