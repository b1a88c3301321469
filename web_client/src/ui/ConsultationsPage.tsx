import { useEffect, useState } from "react";
import { ApiError } from "../api/http";
import type { Consultation, Me, Session } from "../api/session";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";

const LOOK_EVERY_MS = 5_000;

interface Props {
  session: Session;
  me: Me;
  onJoin: (room: string) => void;
  onSignOut: () => void;
}

type Listing = { phase: "loading" } | { phase: "failed" } | { phase: "loaded"; open: Consultation[] };

/** Loads the list now and every few seconds, until the page is left. */
function useOpenConsultations(session: Session, onSignedOut: () => void): Listing {
  const [listing, setListing] = useState<Listing>({ phase: "loading" });
  useEffect(() => {
    let left = false;
    const look = async () => {
      try {
        const open = await session.openConsultations();
        if (!left) setListing({ phase: "loaded", open });
      } catch (error) {
        if (left) return;
        if (error instanceof ApiError && error.status === 401) onSignedOut();
        else setListing({ phase: "failed" });
      }
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_EVERY_MS);
    return () => {
      left = true;
      clearInterval(timer);
    };
  }, [session, onSignedOut]);
  return listing;
}

export function ConsultationsPage({ session, me, onJoin, onSignOut }: Props) {
  const { text } = useText();
  const listing = useOpenConsultations(session, onSignOut);
  useTitle(`${text.consultations.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut}>
      <h1>{text.consultations.title}</h1>
      {listing.phase === "loading" && <p className="muted">{text.loading}</p>}
      {listing.phase === "failed" && (
        <p className="problem" role="alert">
          {text.consultations.failed}
        </p>
      )}
      {listing.phase === "loaded" && <ConsultationList open={listing.open} onJoin={onJoin} />}
    </PageFrame>
  );
}

function ConsultationList({ open, onJoin }: { open: Consultation[]; onJoin: (room: string) => void }) {
  const { text } = useText();
  if (open.length === 0) {
    return (
      <div className="empty">
        <p>{text.consultations.none}</p>
        <p className="muted">{text.consultations.noneHint}</p>
      </div>
    );
  }
  return (
    <>
      <ul className="consultations">
        {open.map((one) => (
          <ConsultationCard key={one.consultation_id} consultation={one} onJoin={onJoin} />
        ))}
      </ul>
      <p className="muted">{text.consultations.joinHint}</p>
    </>
  );
}

function ConsultationCard({
  consultation: { room, header, record, opened_at_us: openedAtUs },
  onJoin,
}: {
  consultation: Consultation;
  onJoin: (room: string) => void;
}) {
  const { text, language } = useText();
  const title = header || text.consultations.unnamed;
  const opened =
    openedAtUs === null
      ? null
      : new Date(openedAtUs / 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <li>
      <div>
        <h2>{title}</h2>
        <p className="muted facts">
          <span>{text.consultations.room(room)}</span>
          {opened && <span>{text.consultations.openedAt(opened)}</span>}
          <span>{record ? text.consultations.recorded : text.consultations.notRecorded}</span>
        </p>
      </div>
      <button
        type="button"
        className="primary"
        data-testid={`join-${room}`}
        aria-label={text.consultations.joinNamed(title)}
        onClick={() => {
          onJoin(room);
        }}
      >
        {text.consultations.join}
      </button>
    </li>
  );
}
