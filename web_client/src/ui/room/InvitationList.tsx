import { useState } from "react";
import { revokeInvitation } from "../../api/calls";
import type { Session } from "../../api/session";
import type { Invitation } from "../../api/types";
import { useText } from "../../i18n/useText";
import { Ask } from "./Ask";
import { problemWords } from "./problemWords";

interface Props {
  session: Session;
  consultationId: string;
  /** null: not known yet. */
  list: readonly Invitation[] | null;
  failed: boolean;
  onChanged: () => void;
}

/** What was sent out, what became of it, and how to take it back. */
export function InvitationList({ session, consultationId, list, failed, onChanged }: Props) {
  const { text } = useText();
  const { invite } = text.panels;
  const [revoking, setRevoking] = useState<Invitation | null>(null);
  const revoke = async (id: string) => {
    try {
      await revokeInvitation(session, consultationId, id);
      return null;
    } catch (error) {
      return invite.failed(problemWords(error, text));
    } finally {
      onChanged();
    }
  };
  return (
    <section className="invitations">
      <h3>{invite.list}</h3>
      {failed && (
        <p className="problem" role="alert">
          {invite.listFailed}
        </p>
      )}
      {list === null && !failed && <p className="muted">{text.loading}</p>}
      {list?.length === 0 && <p className="muted">{invite.none}</p>}
      <ul>
        {list?.map((one) => (
          <Row
            key={one.invitation_id}
            invitation={one}
            onRevoke={() => {
              setRevoking(one);
            }}
          />
        ))}
      </ul>
      {revoking !== null && (
        <Ask
          question={invite.revokeAsk(revoking.name)}
          means={revoking.state === "used" ? invite.revokeUsed : invite.revokeOpen}
          yes={invite.revoke}
          onYes={() => revoke(revoking.invitation_id)}
          onClose={() => {
            setRevoking(null);
          }}
        />
      )}
    </section>
  );
}

function Row({ invitation, onRevoke }: { invitation: Invitation; onRevoke: () => void }) {
  const { text, language } = useText();
  const { invite } = text.panels;
  const { name, organisation, lobby, state, expires_at_us } = invitation;
  const until = new Date(expires_at_us / 1000).toLocaleString(language, {
    dateStyle: "short",
    timeStyle: "short",
  });
  const facts = [
    organisation,
    invite.states[state],
    state === "open" ? invite.until(until) : "",
    lobby ? "" : invite.direct,
  ];
  return (
    <li data-testid="invitation" data-state={state}>
      <bdi className="person-name">{name}</bdi>
      <bdi className="muted">{facts.filter((fact) => fact !== "").join(" · ")}</bdi>
      {(state === "open" || state === "used") && (
        <button
          type="button"
          className="quiet"
          data-testid="invite-revoke"
          aria-label={invite.revokeNamed(name)}
          onClick={onRevoke}
        >
          {invite.revoke}
        </button>
      )}
    </li>
  );
}
