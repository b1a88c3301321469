import { useState, type SyntheticEvent } from "react";
import { ApiError } from "../../api/http";
import type { Account, Session } from "../../api/session";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import { PageFrame } from "../PageFrame";
import { valueOf } from "../formData";
import { useStore, useTitle } from "../hooks";
import { hashOf, replaceWith } from "../route";
import type { InviteToken } from "./inviteToken";

interface Props {
  session: Session;
  invite: InviteToken;
  account: Account;
}

/** Why the link lets nobody in; after these the token is worth nothing. */
type Refusal = "unknown" | "used" | "expired" | "revoked" | "incomplete";
type Trouble = "unreachable" | "throttled" | "refusedName";

const NAME_MAX_CHARS = 100;
/** Behind the token of a link for the display beside a capture box (`edge kiosk`). */
const DISPLAY = "~site";

/** Where an invitation's link leads: exchanges it, once, for a guest's seat. */
export function InvitePage({ session, invite, account }: Props) {
  const { text } = useText();
  const words = text.pages.invite;
  const token = useStore(invite.store);
  const { enter, busy, refusal, trouble } = useEntering(session, invite, token);
  useTitle(`${words.title} · ${text.productName}`);
  const shown = refusal ?? (token === null && !busy ? "incomplete" : null);
  return (
    <PageFrame width="narrow">
      <div className="invite-page" data-testid="invite-page" data-refusal={shown}>
        {shown === null ? (
          <>
            <h1>{words.title}</h1>
            <p>{words.body}</p>
            <SignedIn account={account} />
            <NameForm onEnter={enter} busy={busy} trouble={trouble} />
          </>
        ) : (
          <Refused refusal={shown} account={account} />
        )}
      </div>
    </PageFrame>
  );
}

function useEntering(session: Session, invite: InviteToken, token: string | null) {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ token: string | null; why: Refusal } | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const enter = async (name: string) => {
    if (token === null || busy) return;
    setBusy(true);
    setTrouble(null);
    try {
      const { room } = await session.redeem(token, name);
      invite.drop();
      replaceWith({ page: token.endsWith(DISPLAY) ? "site" : "room", room });
    } catch (error) {
      const why = refusalOf(error);
      if (why === null) setTrouble(troubleOf(error));
      else {
        setRefused({ token: null, why });
        invite.drop();
      }
      setBusy(false);
    }
  };
  // A newer link, opened in the same tab, begins anew.
  const refusal = refused !== null && refused.token === token ? refused.why : null;
  return { enter, busy, refusal, trouble };
}

function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof ApiError)) throw error;
  switch (error.code) {
    case "invitation_used":
      return "used";
    case "invitation_expired":
      return "expired";
    case "invitation_revoked":
      return "revoked";
    case "invitation_unknown":
      return "unknown";
    default:
      return null;
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof ApiError && error.status === 429) return "throttled";
  return error instanceof ApiError && error.status === 422 ? "refusedName" : "unreachable";
}

function NameForm(props: {
  onEnter: (name: string) => Promise<void>;
  busy: boolean;
  trouble: Trouble | null;
}) {
  const { text } = useText();
  const words = text.pages.invite;
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    void props.onEnter(valueOf(new FormData(event.currentTarget), "name").trim());
  };
  return (
    <form className="stack" onSubmit={submit} noValidate aria-busy={props.busy}>
      <label htmlFor="guest-name">{words.name}</label>
      <input
        id="guest-name"
        name="name"
        data-testid="guest-name"
        autoComplete="name"
        maxLength={NAME_MAX_CHARS}
        aria-describedby="guest-name-hint invite-problem"
        aria-invalid={props.trouble === "refusedName"}
      />
      <p id="guest-name-hint" className="field-hint">
        {words.nameHint}
      </p>
      <button type="submit" className="primary" data-testid="invite-enter" disabled={props.busy}>
        {props.busy ? words.entering : words.enter}
      </button>
      <p className="field-hint">{words.next}</p>
      <p id="invite-problem" className="problem" role="alert">
        {props.trouble && words.trouble[props.trouble]}
      </p>
    </form>
  );
}

/** An account's owner may not want to become a guest. */
function SignedIn({ account }: { account: Account }) {
  const { text } = useText();
  if (account.phase !== "in" || account.visit !== null) return null;
  const name = account.me.display_name || account.me.username;
  return (
    <p className="hint-box">
      {text.pages.invite.signedInAs(name)} <a href={hashOf({ page: "list" })}>{text.pages.invite.toList}</a>
    </p>
  );
}

function Refused({ refusal, account }: { refusal: Refusal; account: Account }) {
  const { text } = useText();
  const words: Dictionary["pages"]["invite"] = text.pages.invite;
  const visit = account.phase === "in" ? account.visit : null;
  return (
    <div className="message-page">
      <h1>{words.refused[refusal].title}</h1>
      <p role="alert">{words.refused[refusal].body}</p>
      <div className="ways">
        {visit !== null && (
          <a className="button primary" href={hashOf({ page: "room", room: visit.room })}>
            {text.pages.goodbye.goBack}
          </a>
        )}
        <a className="button" href={hashOf({ page: "list" })}>
          {account.phase === "in" ? words.toList : text.pages.goodbye.signIn}
        </a>
      </div>
    </div>
  );
}
