import { useEffect, useRef, useState, type KeyboardEvent, type SyntheticEvent } from "react";
import { ApiError } from "../api/http";
import type { Session, SignedOutWhy } from "../api/session";
import type { Dictionary } from "../i18n/en";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { PasswordField } from "./PasswordField";
import { valueOf } from "./formData";
import { useCountdown, useTitle } from "./hooks";

type Failure =
  | "wrong"
  | "wrongCode"
  | "throttled"
  | "missing"
  | "missingCode"
  | "closed"
  | "noSecondFactor"
  | "unreachable";
/** Seconds to wait when a proxy throttles without saying how long. */
const DEFAULT_WAIT_S = 30;

interface Props {
  session: Session;
  /** Why this page is shown to somebody who was signed in before. */
  why: SignedOutWhy;
  /** Signing in leads back to a page other than the list. */
  returning: boolean;
}

export function SignInPage({ session, why, returning }: Props) {
  const { text } = useText();
  const { signIn, busy, failure, askCode, leftS } = useSignIn(session);
  useTitle(`${text.signIn.title} · ${text.productName}`);
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    void signIn(new FormData(event.currentTarget));
  };
  return (
    <PageFrame>
      <form className="sign-in" onSubmit={submit} noValidate aria-busy={busy}>
        <h1>{text.signIn.title}</h1>
        <p className="muted">{text.productLine}</p>
        <Why why={why} returning={returning} />
        <Credentials failure={failure} askCode={askCode} />
        <button type="submit" className="primary" data-testid="sign-in" disabled={busy || leftS !== null}>
          {busy ? text.signIn.submitting : text.signIn.submit}
        </button>
        <SignInProblem failure={failure} leftS={leftS} />
      </form>
    </PageFrame>
  );
}

function Why({ why, returning }: Pick<Props, "why" | "returning">) {
  const words = useText().text.pages.signedOut;
  const goesOn = returning && why !== "closed" && why !== "other-tab";
  if (why === "left" || (why === null && !returning)) return null;
  return (
    <p className="hint-box" role="status" data-testid="signed-out-why">
      {why === null ? words.opening : `${words[why]} ${goesOn ? words.returning : ""}`.trim()}
    </p>
  );
}

function useSignIn(session: Session) {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState(false);
  const [askCode, setAskCode] = useState(false);
  const [leftS, wait] = useCountdown();

  const refused = (error: unknown) => {
    const code = error instanceof ApiError ? error.code : "";
    if (code === "totp_required") setAskCode(true);
    setFailure(failureOf(error, askCode));
    if (error instanceof ApiError && error.status === 429) wait(error.retryAfterS ?? DEFAULT_WAIT_S);
  };
  const signIn = async (form: FormData) => {
    const [username, password] = [valueOf(form, "username").trim(), valueOf(form, "password")];
    const code = valueOf(form, "code").replaceAll(/\s/g, "");
    const missing = username === "" || password === "" ? "missing" : null;
    const problem = missing ?? (askCode && code === "" ? "missingCode" : null);
    setFailure(problem);
    if (problem !== null || busy || leftS !== null) return;
    setBusy(true);
    try {
      await session.signIn(username, password, askCode ? code : undefined);
    } catch (error) {
      refused(error);
    } finally {
      setBusy(false);
    }
  };
  return { signIn, busy, failure, askCode, leftS };
}

function failureOf(error: unknown, askedCode: boolean): Failure | null {
  if (!(error instanceof ApiError)) throw error;
  if (error.code === "totp_required") return null;
  if (error.code === "account_closed") return "closed";
  if (error.code === "totp_not_set_up") return "noSecondFactor";
  if (error.status === 429) return "throttled";
  if (error.isTemporary) return "unreachable";
  return askedCode ? "wrongCode" : "wrong";
}

function Credentials({ failure, askCode }: { failure: Failure | null; askCode: boolean }) {
  const { text } = useText();
  const describedBy = failure === null ? undefined : "sign-in-problem";
  const invalid = failure === "wrong" || failure === "missing";
  const [capsLock, setCapsLock] = useState(false);
  const look = (event: KeyboardEvent) => {
    setCapsLock(event.getModifierState("CapsLock"));
  };
  return (
    <>
      <label htmlFor="username">{text.signIn.username}</label>
      <input
        id="username"
        name="username"
        data-testid="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={invalid}
        aria-describedby={describedBy}
      />
      <label htmlFor="password">{text.signIn.password}</label>
      <PasswordField
        id="password"
        autoComplete="current-password"
        invalid={invalid}
        describedBy={capsLock ? "caps-lock" : describedBy}
        onKey={look}
      />
      <p id="caps-lock" className="field-hint" aria-live="polite">
        {capsLock && text.pages.signIn.capsLock}
      </p>
      {askCode && <CodeField invalid={failure === "wrongCode" || failure === "missingCode"} />}
    </>
  );
}

/** Appears once the server asks for it, and takes the focus: the next thing to type goes there. */
function CodeField({ invalid }: { invalid: boolean }) {
  const { text } = useText();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
  }, []);
  return (
    <>
      <label htmlFor="code">{text.pages.signIn.code}</label>
      <input
        ref={field}
        id="code"
        name="code"
        data-testid="totp-code"
        inputMode="numeric"
        pattern="[0-9 ]*"
        maxLength={12}
        autoComplete="one-time-code"
        spellCheck={false}
        aria-invalid={invalid}
        aria-describedby={invalid ? "code-hint sign-in-problem" : "code-hint"}
      />
      <p id="code-hint" className="field-hint">
        {text.pages.signIn.codeHint}
      </p>
    </>
  );
}

/** The wait is counted down for the eye only: a screen reader is told once. */
function SignInProblem({ failure, leftS }: { failure: Failure | null; leftS: number | null }) {
  const { text } = useText();
  const throttled = failure === "throttled";
  return (
    <div className="sign-in-problem">
      <p id="sign-in-problem" className="problem" role="alert">
        {failure && !(throttled && leftS === null) && wordsOf(failure, text)}
      </p>
      {throttled && (
        <p className="muted" aria-hidden="true" data-testid="throttled-for">
          {leftS === null ? text.pages.signIn.again : text.pages.signIn.waitFor(leftS)}
        </p>
      )}
    </div>
  );
}

function wordsOf(failure: Failure, { signIn, pages }: Dictionary): string {
  switch (failure) {
    case "wrong":
    case "missing":
    case "throttled":
    case "unreachable":
      return signIn[failure];
    case "wrongCode":
    case "missingCode":
    case "closed":
    case "noSecondFactor":
      return pages.signIn[failure];
  }
}
