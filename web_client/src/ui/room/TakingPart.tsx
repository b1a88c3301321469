import { useState, type ReactNode } from "react";
import { attachDevice, detachDevice, inviteOrganisation } from "../../api/calls";
import type { Session } from "../../api/session";
import type { Device, Organisation } from "../../api/types";
import { useText } from "../../i18n/useText";
import { Ask } from "./Ask";
import { problemWords } from "./problemWords";
import { useTakingPart, type TakingPart as Known } from "./useTakingPart";

interface Props {
  session: Session;
  consultationId: string;
}

/** Hosts: other organisations and one's own capture boxes, also after the consultation was opened. */
export function TakingPart({ session, consultationId }: Props) {
  const { text } = useText();
  const words = text.panels.takingPart;
  const { known, failed, reload } = useTakingPart(session, consultationId);
  const [said, say] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  /** Null when it worked; else what failed, in words. */
  const act = async (call: Promise<unknown>, done: string): Promise<string | null> => {
    try {
      await call;
      say(done);
      return null;
    } catch (error) {
      return text.panels.invite.failed(problemWords(error, text));
    } finally {
      reload();
    }
  };
  const actOrSay = async (call: Promise<unknown>, done: string) => {
    setProblem(await act(call, done));
  };
  return (
    <>
      <p role="status" className="only-heard">
        {said}
      </p>
      <div role="alert">
        {problem !== null && <p className="problem">{problem}</p>}
        {failed && <p className="problem">{words.listFailed}</p>}
      </div>
      {known !== null && (
        <>
          <Organisations
            known={known}
            onInvite={({ organisation_id: id, name }) =>
              void actOrSay(inviteOrganisation(session, consultationId, id), words.invited(name))
            }
          />
          <Boxes
            known={known}
            onAttach={({ device_id: id, name }) =>
              void actOrSay(attachDevice(session, consultationId, id), words.attached(name))
            }
            onDetach={({ device_id: id, name }) =>
              act(detachDevice(session, consultationId, id), words.detached(name))
            }
          />
        </>
      )}
    </>
  );
}

interface OrganisationsProps {
  known: Known;
  onInvite: (organisation: Organisation) => void;
}

function Organisations({ known: { organisations, within }, onInvite }: OrganisationsProps) {
  const words = useText().text.panels.takingPart;
  return (
    <section className="invitations" data-testid="organisations">
      <h3>{words.organisations}</h3>
      <p className="muted">{organisations.length > 1 ? words.organisationsHint : words.noOrganisations}</p>
      <ul>
        {organisations.map((one) => {
          const part = within.has(one.organisation_id);
          return (
            <Row key={one.organisation_id} name={one.name} detail={part ? words.takesPart : ""} on={part}>
              {/* It stays where the focus is when it has done its work. */}
              <button
                type="button"
                className="quiet"

                aria-label={part ? `${one.name}: ${words.takesPart}` : words.inviteNamed(one.name)}
                aria-disabled={part}
                onClick={() => {
                  if (!part) onInvite(one);
                }}
              >
                {part ? "✓" : words.invite}
              </button>
            </Row>
          );
        })}
      </ul>
    </section>
  );
}

interface BoxesProps {
  known: Known;
  onAttach: (device: Device) => void;
  onDetach: (device: Device) => Promise<string | null>;
}

function Boxes({ known: { devices, within }, onAttach, onDetach }: BoxesProps) {
  const words = useText().text.panels.takingPart;
  const [detaching, setDetaching] = useState<Device | null>(null);
  return (
    <section className="invitations" data-testid="boxes">
      <h3>{words.boxes}</h3>
      <p className="muted">{devices.length > 0 ? words.boxesHint : words.noBoxes}</p>
      <ul>
        {devices.map((one) => {
          const { device_id: id, name, feeds, disabled } = one;
          const on = within.has(id);
          const detail = [...feeds, ...(disabled ? [words.disabled] : [])].join(" · ");
          return (
            <Row key={id} name={name} detail={detail} on={on}>
              {(on || !disabled) && (
                <button
                  type="button"
                  className="quiet"
                  data-testid={on ? "detach" : "attach"}
                  aria-label={on ? words.detachNamed(name) : words.attachNamed(name)}
                  onClick={() => {
                    if (on) setDetaching(one);
                    else onAttach(one);
                  }}
                >
                  {on ? words.detach : words.attach}
                </button>
              )}
            </Row>
          );
        })}
      </ul>
      {detaching !== null && (
        <Ask
          question={words.detachAsk(detaching.name)}
          means={words.detachMeans}
          yes={words.detach}
          onYes={() => onDetach(detaching)}
          onClose={() => {
            setDetaching(null);
          }}
        />
      )}
    </section>
  );
}

function Row({
  name,
  detail,
  on,
  children,
}: {
  name: string;
  detail: string;
  on: boolean;
  children: ReactNode;
}) {
  return (
    <li data-on={on}>
      <bdi className="person-name">{name}</bdi>
      <bdi className="muted">{detail}</bdi>
      {children}
    </li>
  );
}
