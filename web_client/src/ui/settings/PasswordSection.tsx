import { useRef, useState, type SyntheticEvent } from "react";
import { changePassword } from "../../api/calls";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { PasswordField } from "../PasswordField";
import { valueOf } from "../formData";
import { checkPassword, MIN_CHARS, troubleOf, type PasswordTrouble } from "./password";

/** Changes the password; the person's other sign-ins end with it. */
export function PasswordSection({ session, username }: { session: Session; username: string }) {
  const { text } = useText();
  const words = text.pages.settings;
  const { change, busy, trouble, done } = usePasswordChange(session);
  const form = useRef<HTMLFormElement>(null);
  const submit = async (fields: FormData) => {
    if (await change(fields)) form.current?.reset();
  };
  const onSubmit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    void submit(new FormData(event.currentTarget));
  };
  const invalid = (...about: PasswordTrouble[]) => trouble !== null && about.includes(trouble);
  return (
    <form ref={form} className="stack" onSubmit={onSubmit} noValidate aria-busy={busy}>
      <input
        className="unseen"
        name="username"
        autoComplete="username"
        value={username}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <label htmlFor="old-password">{words.oldPassword}</label>
      <PasswordField
        id="old-password"
        autoComplete="current-password"
        invalid={invalid("wrong", "missing")}
        describedBy="password-problem"
      />
      <label htmlFor="new-password">{words.newPassword}</label>
      <PasswordField
        id="new-password"
        autoComplete="new-password"
        invalid={invalid("short", "same", "weak")}
        describedBy="password-hint password-problem"
      />
      <p id="password-hint" className="field-hint">
        {words.passwordHint(MIN_CHARS)}
      </p>
      <label htmlFor="repeated-password">{words.repeatedPassword}</label>
      <PasswordField
        id="repeated-password"
        autoComplete="new-password"
        invalid={invalid("different")}
        describedBy="password-problem"
      />
      <button type="submit" data-testid="change-password" disabled={busy}>
        {words.changePassword}
      </button>
      <p id="password-problem" className="problem" role="alert">
        {trouble && words.trouble[trouble]}
      </p>
      <p role="status" className="done">
        {done && words.passwordChanged}
      </p>
    </form>
  );
}

function usePasswordChange(session: Session) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<PasswordTrouble | null>(null);
  const [done, setDone] = useState(false);
  const change = async (fields: FormData): Promise<boolean> => {
    const [old, fresh] = [valueOf(fields, "old-password"), valueOf(fields, "new-password")];
    const repeated = valueOf(fields, "repeated-password");
    const mistake = checkPassword(old, fresh, repeated);
    setTrouble(mistake);
    setDone(false);
    if (mistake !== null || busy) return false;
    setBusy(true);
    try {
      await changePassword(session, old, fresh);
      setDone(true);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setTrouble(troubleOf(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { change, busy, trouble, done };
}
