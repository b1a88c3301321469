import { useCallback, useEffect, useState, type SyntheticEvent } from "react";
import { addBox, listDevices, newBoxCode, revokeBox } from "../../api/calls";
import type { Me, Session } from "../../api/session";
import type { Device, DeviceCode } from "../../api/types";
import { useText } from "../../i18n/useText";
import { PageFrame } from "../PageFrame";
import { valueOf } from "../formData";
import { useTitle } from "../hooks";
import { Ask } from "../room/Ask";
import { useLookup } from "../useLookup";

const LOOK_EVERY_MS = 5_000;

interface Props {
  session: Session;
  me: Me;
  onSignOut: () => void;
}

/** For administrators: the capture boxes, how they are, the code by which one gets in, and the way to shut one out. */
export function BoxesPage({ session, me, onSignOut }: Props) {
  const { text } = useText();
  const words = text.pages.boxes;
  const { known, reload } = useLookup(useCallback(() => listDevices(session), [session]));
  const [code, setCode] = useState<DeviceCode | null>(null);
  const [failed, setFailed] = useState(false);
  const [revoking, setRevoking] = useState<Device | null>(null);
  useTitle(`${words.title} · ${text.productName}`);
  useEffect(() => {
    const timer = setInterval(reload, LOOK_EVERY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [reload]);
  const show = (asked: Promise<DeviceCode>) => {
    setFailed(false);
    asked.then(setCode, () => {
      setFailed(true);
    });
    void asked.then(reload, () => undefined);
  };
  const add = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    show(
      addBox(
        session,
        valueOf(data, "name").trim(),
        valueOf(data, "feeds")
          .split(/[\s,，]+/)
          .filter(Boolean),
      ),
    );
  };
  return (
    <PageFrame me={me} onSignOut={onSignOut}>
      <h1>{words.title}</h1>
      {code && <Code code={code} />}
      <ul className="cards">
        {known?.map((box) => (
          <li key={box.device_id} className="card" data-testid={`box-${box.device_id}`}>
            <div className="card-text">
              <h2>{box.name}</h2>
              <p>{box.feeds.join(", ")}</p>
              <p>
                {box.disabled ? words.disabled : words.enrolment[box.enrolment]} ·{" "}
                {box.online ? words.online : words.away}
              </p>
              {box.online && <Health box={box} />}
            </div>
            <div className="card-actions">
              <button
                type="button"
                data-testid="box-code"
                onClick={() => {
                  show(newBoxCode(session, box.device_id));
                }}
              >
                {words.newCode}
              </button>
              {box.enrolment === "enrolled" && (
                <button
                  type="button"
                  data-testid="box-revoke"
                  onClick={() => {
                    setRevoking(box);
                  }}
                >
                  {words.revoke}
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
      <form className="stack" onSubmit={add}>
        <h2>{words.add}</h2>
        <label>
          {words.name} <input name="name" data-testid="box-name" maxLength={100} required />
        </label>
        <label>
          {words.feeds} <input name="feeds" data-testid="box-feeds" placeholder="ultrasound, room" required />
        </label>
        <button type="submit" className="primary" data-testid="box-add">
          {words.add}
        </button>
        {failed && (
          <p className="problem" role="alert">
            {text.pages.settings.signOutElsewhereFailed}
          </p>
        )}
      </form>
      {revoking && (
        <Ask
          question={words.ask(revoking.name)}
          means={words.means}
          yes={words.revoke}
          onYes={() =>
            revokeBox(session, revoking.device_id).then(
              () => {
                reload();
                return null;
              },
              () => text.pages.settings.signOutElsewhereFailed,
            )
          }
          onClose={() => {
            setRevoking(null);
          }}
        />
      )}
    </PageFrame>
  );
}

/** The picture is made by the server. */
function Code({ code }: { code: DeviceCode }) {
  const words = useText().text.pages.boxes;
  return (
    <div className="hint-box" role="status">
      <p>{words.type}</p>
      <p>
        <code data-testid="code">
          teleconsult edge enroll {code.code} --server {window.location.origin}
        </code>
      </p>
      <img
        width="180"
        alt=""
        src={`data:image/svg+xml,${encodeURIComponent(code.qr_svg)}`}
        data-testid="code-picture"
      />
    </div>
  );
}

function Health({ box: { health, troubles } }: { box: Device }) {
  const words = useText().text.pages.boxes;
  if (!health) return null;
  const { temperature_c: hot, buffer_bytes: waiting, version } = health;
  const facts = [
    ...(health.feeds ?? []).map(
      (feed) => `${feed.feed} ${feed.frames_per_s}/s ${((feed.uplink_bps ?? 0) / 1e6).toFixed(1)} Mbit/s`,
    ),
    hot == null ? "" : `${hot.toFixed(0)} °C`,
    waiting ? `${words.buffer} ${(waiting / 2 ** 20).toFixed(0)} MiB` : "",
    version,
  ].filter(Boolean);
  return (
    <>
      <p className="muted">{facts.join(" · ")}</p>
      {troubles.map((trouble) => (
        <p key={trouble} className="problem">
          {words.troubles[trouble]}
        </p>
      ))}
    </>
  );
}
