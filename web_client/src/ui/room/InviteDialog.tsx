import { useCallback, useEffect, useRef, useState } from "react";
import { createInvitation, listInvitations } from "../../api/calls";
import type { Session } from "../../api/session";
import type { NewInvitation } from "../../api/types";
import { useText } from "../../i18n/useText";
import { useLookup } from "../useLookup";
import { Dialog } from "./Dialog";
import { InvitationList } from "./InvitationList";
import { problemWords } from "./problemWords";
import { TakingPart } from "./TakingPart";

interface Props {
  session: Session;
  consultationId: string;
  onClose: () => void;
}

const HOURS = ["1", "24", "72"] as const;

/**
 * Hosts: makes a link for one guest, shows it once, and lists what was made before; lets other organisations take part and
 * capture boxes send.
 */
export function InviteDialog({ session, consultationId, onClose }: Props) {
  const { text } = useText();
  const [made, setMade] = useState<{ name: string; invitation: NewInvitation } | null>(null);
  const [again, setAgain] = useState(false);
  const find = useCallback(() => listInvitations(session, consultationId), [session, consultationId]);
  const { known, failed, reload } = useLookup(find);
  return (
    <Dialog title={text.panels.invite.title} testId="invite-dialog" onClose={onClose}>
      <h3>{text.panels.invite.guest}</h3>
      {made === null ? (
        <InviteForm
          session={session}
          consultationId={consultationId}
          again={again}
          onMade={(name, invitation) => {
            setMade({ name, invitation });
            reload();
          }}
        />
      ) : (
        <Link
          name={made.name}
          url={made.invitation.url}
          onAnother={() => {
            setAgain(true);
            setMade(null);
          }}
        />
      )}
      <InvitationList
        session={session}
        consultationId={consultationId}
        list={known}
        failed={failed}
        onChanged={reload}
      />
      <TakingPart session={session} consultationId={consultationId} />
    </Dialog>
  );
}

interface FormProps extends Omit<Props, "onClose"> {
  /** For another guest: the button that asked for it is gone, and the focus comes here. */
  again: boolean;
  onMade: (name: string, invitation: NewInvitation) => void;
}

function InviteForm({ session, consultationId, again, onMade }: FormProps) {
  const { text } = useText();
  const { invite } = text.panels;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (again) first.current?.focus();
  }, [again]);
  const create = async (form: FormData) => {
    const name = field(form, "name");
    if (name === "") {
      setProblem(invite.nameMissing);
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      const request = {
        name,
        organisation: field(form, "organisation"),
        lobby: form.get("lobby") === "on",
        minutes: Number(field(form, "hours")) * 60,
      };
      onMade(name, await createInvitation(session, consultationId, request));
    } catch (error) {
      setProblem(invite.failed(problemWords(error, text)));
      setBusy(false);
    }
  };
  return (
    <form
      className="invite-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void create(new FormData(event.currentTarget));
      }}
    >
      <label>
        {invite.name}
        <input
          ref={first}
          name="name"
          data-testid="invite-name"
          maxLength={100}
          autoComplete="off"
          required
          aria-invalid={problem === invite.nameMissing}
          aria-describedby="invite-problem"
        />
      </label>
      <label>
        {invite.organisation}
        <input name="organisation" data-testid="invite-organisation" maxLength={100} autoComplete="off" />
      </label>
      <label>
        {invite.hours}
        <select name="hours" defaultValue="24">
          {HOURS.map((hours) => (
            <option key={hours} value={hours}>
              {invite.validHours[hours]}
            </option>
          ))}
        </select>
      </label>
      <label className="check">
        <input type="checkbox" name="lobby" defaultChecked />
        {invite.lobby}
      </label>
      <p id="invite-problem" className="problem" role="alert">
        {problem}
      </p>
      <button type="submit" className="primary" data-testid="invite-create" disabled={busy}>
        {busy ? invite.creating : invite.create}
      </button>
    </form>
  );
}

const field = (form: FormData, name: string): string => {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
};

function Link({ name, url, onAnother }: { name: string; url: string; onAnother: () => void }) {
  const { text } = useText();
  const { invite } = text.panels;
  const [copied, setCopied] = useState<boolean | null>(null);
  const link = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // The button that was pressed is gone; the focus goes to what it made, and it is read out.
    link.current?.focus();
  }, []);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url);
      setCopied(true);
    } catch {
      // Pages over plain HTTP have no clipboard: the link is selected instead.
      link.current?.select();
      setCopied(false);
    }
  };
  return (
    <div className="invite-link">
      <label>
        {invite.ready(name)}
        <input
          ref={link}
          id="invite-url"
          data-testid="invite-url"
          readOnly
          value={url}
          onFocus={(event) => {
            event.target.select();
          }}
        />
      </label>
      <div className="dialog-ways">
        <button type="button" data-testid="invite-another" onClick={onAnother}>
          {invite.another}
        </button>
        <button type="button" className="primary" onClick={() => void copy()}>
          {copied === true ? invite.copied : invite.copy}
        </button>
      </div>
      <p role="status">{copied === true ? invite.copied : copied === false ? invite.copyFailed : ""}</p>
    </div>
  );
}
