import type { ReactNode } from "react";
import type { Consultation } from "../../api/types";
import { useText } from "../../i18n/useText";
import { useWallClock } from "../hooks";
import { hashOf } from "../route";
import { clockTime, duration } from "../when";

const RENEW_TIMES_MS = 20_000;

/** One that can be joined now. */
export function OpenCard({ consultation }: { consultation: Consultation }) {
  const { text, language } = useText();
  const { room, people, opened_at_us: openedUs } = consultation;
  const title = consultation.header || text.consultations.unnamed;
  const now = useWallClock(RENEW_TIMES_MS);
  return (
    <li className="card">
      <CardText consultation={consultation} title={title} heading="h2">
        <span>
          {text.pages.list.since(
            clockTime(openedUs, language, now),
            duration(openedUs, now * 1000, text.time),
          )}
        </span>
        <span data-testid={`people-${room}`}>
          {people === 0 ? text.pages.list.nobodyIn : text.pages.list.peopleIn(people)}
        </span>
        <Recorded record={consultation.record} />
        <Kept consultation={consultation} />
      </CardText>
      <div className="card-actions">
        {consultation.host && (
          <a
            className="button"
            href={hashOf({ page: "site", room })}
            data-testid={`onsite-${room}`}
            aria-label={text.pages.list.onSiteNamed(title)}
          >
            {text.pages.list.onSite}
          </a>
        )}
        <a
          className="button primary"
          href={hashOf({ page: "room", room })}
          data-testid={`join-${room}`}
          aria-label={text.consultations.joinNamed(title)}
        >
          {text.consultations.join}
        </a>
      </div>
    </li>
  );
}

/** One of the last days. */
export function ClosedCard({ consultation }: { consultation: Consultation }) {
  const { text, language } = useText();
  const { opened_at_us: openedUs, closed_at_us: closedUs } = consultation;
  const now = useWallClock(RENEW_TIMES_MS);
  return (
    <li className="card" data-state="closed">
      <CardText
        consultation={consultation}
        title={consultation.header || text.consultations.unnamed}
        heading="h3"
      >
        <span>{clockTime(openedUs, language, now)}</span>
        {closedUs !== null && <span>{text.pages.list.lasted(duration(openedUs, closedUs, text.time))}</span>}
        <Recorded record={consultation.record} past />
        <Kept consultation={consultation} />
      </CardText>
    </li>
  );
}

interface CardTextProps {
  consultation: Consultation;
  title: string;
  heading: "h2" | "h3";
  children: ReactNode;
}

function CardText({ heading: Heading, ...props }: CardTextProps) {
  const { text } = useText();
  const { specialty, site, question } = props.consultation;
  return (
    <div className="card-text">
      <Heading>
        <span>{props.title}</span> {specialty && <span className="card-specialty">{specialty}</span>}
      </Heading>
      {question && <p className="card-question">{question}</p>}
      <p className="muted facts">
        {site && <span>{text.pages.list.site(site)}</span>}
        {props.children}
      </p>
    </div>
  );
}

function Recorded({ record, past = false }: { record: boolean; past?: boolean }) {
  const { text } = useText();
  const words = past ? text.pages.list.was : text.consultations;
  return (
    <span className="recorded" data-record={record}>
      {record ? words.recorded : words.notRecorded}
    </span>
  );
}

/** How long the recording is kept, for the site that chose it. */
function Kept({ consultation }: { consultation: Consultation }) {
  const { text } = useText();
  if (!consultation.host || !consultation.record) return null;
  return (
    <span data-testid={`retention-${consultation.room}`}>
      {text.pages.list.retention(consultation.retention_class)}
    </span>
  );
}
