import { useState, type SyntheticEvent } from "react";
import { ApiError } from "../api/http";
import type { Me, Session } from "../api/session";
import type { Dictionary } from "../i18n/en";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";

type Failure = "wrong" | "throttled" | "missing" | "offline";

function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) return "offline";
  if (error.status === 429) return "throttled";
  return error.isTemporary ? "offline" : "wrong";
}

const words = (failure: Failure, text: Dictionary) =>
  failure === "offline" ? text.signIn.unreachable : text.signIn[failure];

export function SignInPage({ session, onSignedIn }: { session: Session; onSignedIn: (me: Me) => void }) {
  const { text } = useText();
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState(false);
  useTitle(`${text.signIn.title} · ${text.productName}`);

  const signIn = async (form: FormData) => {
    const field = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    const [username, password] = [field("username").trim(), field("password")];
    if (username === "" || password === "") {
      setFailure("missing");
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      onSignedIn(await session.signIn(username, password));
    } catch (error) {
      setFailure(failureOf(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    void signIn(new FormData(event.currentTarget));
  };

  return (
    <PageFrame>
      <form className="sign-in" onSubmit={submit} noValidate>
        <h1>{text.signIn.title}</h1>
        <p className="muted">{text.productLine}</p>
        <label htmlFor="username">{text.signIn.username}</label>
        <input
          id="username"
          name="username"
          data-testid="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          aria-describedby={failure ? "sign-in-problem" : undefined}
        />
        <label htmlFor="password">{text.signIn.password}</label>
        <input
          id="password"
          name="password"
          data-testid="password"
          type="password"
          autoComplete="current-password"
          aria-describedby={failure ? "sign-in-problem" : undefined}
        />
        <button type="submit" className="primary" data-testid="sign-in" disabled={busy}>
          {busy ? text.signIn.submitting : text.signIn.submit}
        </button>
        <p id="sign-in-problem" className="problem" role="alert">
          {failure && words(failure, text)}
        </p>
      </form>
    </PageFrame>
  );
}
