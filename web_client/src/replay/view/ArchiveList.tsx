import { useState } from "react";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import type { Store } from "../../room/store";
import { useStore } from "../../ui/hooks";
import { hashOf } from "../../ui/route";
import type { ArchiveItem } from "../calls";
import { timeText, wallTime } from "../format";
import { useReplayText } from "../words";
import type { Verdicts } from "./ReplayApp";
import { useArchives } from "./useArchives";

interface Props {
  session: Session;
  chosen: string | null;
  verdicts: Store<Verdicts>;
}

/** The organisation's archived consultations. Beside a replay it can be put away, to leave room for pictures. */
export function ArchiveList({ session, chosen, verdicts }: Props) {
  const words = useReplayText();
  const found = useStore(verdicts);
  const { items, failed, more, hasMore } = useArchives(session);
  const [open, setOpen] = useState(true);
  return (
    <nav className="replay-list" aria-label={words.list.title} data-open={open}>
      <div className="replay-list-head">
        <h2>{words.list.title}</h2>
        <button
          type="button"
          className="quiet replay-list-toggle"
          aria-expanded={open}
          onClick={() => {
            setOpen(!open);
          }}
        >
          {open ? words.list.hide : words.list.show}
        </button>
      </div>
      {failed && <p className="problem">{words.list.failed}</p>}
      {items === null && !failed && <p role="status">{words.list.loading}</p>}
      {items?.length === 0 && <p className="muted">{words.list.none}</p>}
      <ul data-testid="archive-list">
        {(items ?? []).map((item) => (
          <Item key={item.consultation_id} item={item} chosen={chosen} verdicts={found} />
        ))}
      </ul>
      {hasMore && (
        <button type="button" onClick={more} data-testid="archive-more">
          {words.list.more}
        </button>
      )}
    </nav>
  );
}

interface ItemProps {
  item: ArchiveItem;
  chosen: string | null;
  verdicts: Verdicts;
}

function Item({ item, chosen, verdicts }: ItemProps) {
  const { language } = useText();
  const words = useReplayText().list;
  const id = item.consultation_id;
  const when = wallTime(item.opened_at_us, language);
  const header = item.header || words.unnamed;
  const verdict = verdicts.get(id) ?? "none";
  return (
    <li>
      <a
        className="replay-item"
        href={hashOf({ page: "replay", consultation: id })}
        aria-current={chosen === id ? "page" : undefined}
        data-testid={`archive-${id}`}
        data-state={item.state}
      >
        <strong>{header}</strong>
        <span className="muted">{when}</span>
        <span className="muted">
          {words.site(item.site)}
          {item.length_us !== null && <> · {timeText(item.length_us)}</>}
        </span>
        <span className="muted">{words.retention(item.retention_class)}</span>
        {item.state !== "closed" && (
          <span className="replay-item-state" data-state={item.state}>
            {item.state === "recording" ? words.recording : words.missing}
          </span>
        )}
        {item.state !== "missing" && (
          <span className="replay-verdict" data-verdict={verdict}>
            {words.marks[verdict]}
          </span>
        )}
      </a>
    </li>
  );
}
