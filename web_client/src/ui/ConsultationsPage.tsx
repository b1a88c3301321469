import { useId, useState } from "react";
import type { Me, Session } from "../api/session";
import type { Consultation } from "../api/types";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { SaveHeads } from "./SaveHeads";
import { useTitle } from "./hooks";
import { ClosedCard, OpenCard } from "./list/ConsultationCard";
import { matches, type Listing } from "./list/listing";
import { useListing } from "./list/useListing";
import { PlusIcon } from "./pageIcons";
import { hashOf } from "./route";

/** A list longer than this can be searched. */
const SEARCH_ABOVE = 8;

export function ConsultationsPage({
  session,
  me,
  onSignOut,
}: {
  session: Session;
  me: Me;
  onSignOut: () => void;
}) {
  const { text } = useText();
  const [listing, again] = useListing(session);
  useTitle(`${text.consultations.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut} width="list">
      <div className="page-title">
        <h1>{text.consultations.title}</h1>
        {me.role === "site" && (
          <a className="button primary" href={hashOf({ page: "new" })} data-testid="new-consultation">
            <PlusIcon />
            <span>{text.pages.form.open}</span>
          </a>
        )}
      </div>
      <Freshness listing={listing} onAgain={again} />
      {listing.open === null
        ? !listing.failed && <p className="muted">{text.loading}</p>
        : listing.open.length + listing.closed.length > 0 || <Nothing me={me} />}
      {listing.open !== null && listing.open.length + listing.closed.length > 0 && (
        <Lists listing={listing} open={listing.open} me={me} />
      )}
      <SaveHeads />
    </PageFrame>
  );
}

/** Says that the service is out of reach, once, above whatever is already there. */
function Freshness({ listing, onAgain }: { listing: Listing; onAgain: () => void }) {
  const { text } = useText();
  const loaded = listing.open !== null;
  return (
    <div role="status">
      {listing.failed && (
        <div className="hint-box" data-kind="problem" data-testid="list-problem">
          <p>{loaded ? text.pages.list.stale : text.consultations.failed}</p>
          {!loaded && (
            <button type="button" onClick={onAgain}>
              {text.room.tryAgain}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Nothing({ me }: { me: Me }) {
  const { text } = useText();
  return (
    <div className="empty" data-testid="no-consultations">
      <p>{text.consultations.none}</p>
      <p className="muted">{me.role === "site" ? text.pages.list.noneSite : text.consultations.noneHint}</p>
    </div>
  );
}

function Lists({ listing, open, me }: { listing: Listing; open: readonly Consultation[]; me: Me }) {
  const { text } = useText();
  const [wanted, setWanted] = useState("");
  const search = open.length + listing.closed.length > SEARCH_ABOVE;
  const found = (all: readonly Consultation[]) => (search ? all.filter((one) => matches(one, wanted)) : all);
  const [openFound, closedFound] = [found(open), found(listing.closed)];
  return (
    <>
      {search && (
        <Search wanted={wanted} found={openFound.length + closedFound.length} onSearch={setWanted} />
      )}
      {open.length === 0 && <Nothing me={me} />}
      {openFound.length > 0 && (
        <ul className="consultations" aria-label={text.consultations.title}>
          {openFound.map((one) => (
            <OpenCard key={one.consultation_id} consultation={one} />
          ))}
        </ul>
      )}
      {closedFound.length > 0 && <Closed closed={closedFound} />}
    </>
  );
}

function Search(props: { wanted: string; found: number; onSearch: (wanted: string) => void }) {
  const { text } = useText();
  const id = useId();
  return (
    <div className="search">
      <label htmlFor={id}>{text.pages.list.search}</label>
      <input
        id={id}
        type="search"
        data-testid="search"
        autoComplete="off"
        value={props.wanted}
        onChange={(event) => {
          props.onSearch(event.currentTarget.value);
        }}
      />
      <p className="field-hint" role="status">
        {props.wanted.trim() === ""
          ? text.pages.list.searchHint
          : props.found === 0
            ? text.pages.list.notFound
            : text.pages.list.found(props.found)}
      </p>
    </div>
  );
}

function Closed({ closed }: { closed: readonly Consultation[] }) {
  const { text } = useText();
  const id = useId();
  return (
    <section className="closed" aria-labelledby={id}>
      <h2 id={id}>{text.pages.list.closed}</h2>
      <ul className="consultations">
        {closed.map((one) => (
          <ClosedCard key={one.consultation_id} consultation={one} />
        ))}
      </ul>
    </section>
  );
}
