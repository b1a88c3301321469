import { useState, type ReactNode } from "react";
import type { Session, Visit } from "../../api/session";
import { useText } from "../../i18n/useText";
import { PageFrame } from "../PageFrame";
import { PreJoin } from "../devices/PreJoin";
import { useFocusOnNavigation, useTitle } from "../hooks";
import { PlusIcon } from "../pageIcons";
import { InviteDialog } from "../room/InviteDialog";
import { RoomPage } from "../room/RoomPage";
import { StayMark } from "./stay";
import { useConsultation } from "./useConsultation";

export type Layout = "consult" | "onsite";

interface Props {
  session: Session;
  /** Of a guest. */
  visit: Visit | null;
  room: string;
  layout: Layout;
  onLeave: () => void;
  onSignedOut: () => void;
}

/** The way into one room: past the devices' page, except for a tab that was in there and is reloaded. */
export function RoomEntry({ session, visit, room, layout, onLeave, onSignedOut }: Props) {
  const [mark] = useState(() => new StayMark(window.sessionStorage));
  const [entered, setEntered] = useState(() => mark.isIn(room));
  useFocusOnNavigation(entered ? "room" : "entry");
  if (!entered) {
    const enter = () => {
      mark.enter(room);
      setEntered(true);
    };
    return <Entrance session={session} room={room} guest={visit !== null} onEnter={enter} onBack={onLeave} />;
  }
  const leave = () => {
    mark.leave();
    onLeave();
  };
  return (
    <RoomPage
      session={session}
      room={room}
      layout={layout}
      guest={visit !== null}
      onLeave={leave}
      onSignedOut={onSignedOut}
    />
  );
}

interface EntranceProps {
  session: Session;
  room: string;
  guest: boolean;
  onEnter: () => void;
  onBack: () => void;
}

function Entrance({ session, room, guest, onEnter, onBack }: EntranceProps) {
  const { text } = useText();
  const found = useConsultation(session, room);
  const known = found.phase === "open" ? found.consultation : null;
  const title =
    [known?.header, known?.specialty].filter(Boolean).join(" · ") || text.consultations.room(room);
  useTitle(`${title} · ${text.productName}`);
  return (
    <PageFrame>
      {found.phase === "looking" && <p role="status">{text.pages.entry.looking}</p>}
      {found.phase === "none" && <NotOpen guest={guest} onBack={onBack} />}
      {known?.host === true && <InviteOffer session={session} consultationId={known.consultation_id} />}
      {(found.phase === "open" || found.phase === "unknown") && (
        <PreJoin title={title} onEnter={onEnter} onBack={onBack} />
      )}
    </PageFrame>
  );
}

/** For the site: those who come by a link can be invited before one goes in. */
function InviteOffer({ session, consultationId }: { session: Session; consultationId: string }) {
  const { text } = useText();
  const [shown, setShown] = useState(false);
  return (
    <div className="entry-offer">
      <button
        type="button"
        className="quiet"
        data-testid="invite-before"
        onClick={() => {
          setShown(true);
        }}
      >
        <PlusIcon />
        <span>{text.pages.entry.inviteNow}</span>
      </button>
      {shown && (
        <InviteDialog
          session={session}
          consultationId={consultationId}
          onClose={() => {
            setShown(false);
          }}
        />
      )}
    </div>
  );
}

function NotOpen({ guest, onBack }: { guest: boolean; onBack: () => void }): ReactNode {
  const { text } = useText();
  return (
    <div className="message-page" data-testid="not-open">
      <h1>{text.pages.entry.notOpen}</h1>
      <p>{text.pages.entry.notOpenHint}</p>
      <div className="ways">
        <button
          type="button"
          onClick={() => {
            window.location.reload();
          }}
        >
          {text.room.tryAgain}
        </button>
        {!guest && (
          <button type="button" className="primary" onClick={onBack}>
            {text.room.backToList}
          </button>
        )}
      </div>
    </div>
  );
}
