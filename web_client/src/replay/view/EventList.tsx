import { useState } from "react";
import { useStore } from "../../ui/hooks";
import type { EventKind, Mark } from "../events";
import { timeText } from "../format";
import type { ReplayPlayer } from "../player/replayPlayer";
import { useReplayText } from "../words";
import type { Marks } from "./useMarks";

const KINDS: readonly EventKind[] = [
  "people",
  "chat",
  "drawing",
  "control",
  "opinion",
  "consent",
  "pause",
  "recording",
  "feed",
];

/** Everything that happened, with times; each leads there. */
export function EventList({ player, events }: { player: ReplayPlayer; events: Marks }) {
  const words = useReplayText().events;
  const [kind, setKind] = useState<EventKind | "all">("all");
  const shown = events.marks.filter((mark) => kind === "all" || mark.kind === kind);
  return (
    <section className="replay-events" aria-labelledby="replay-events-title">
      <div className="replay-row">
        <h2 id="replay-events-title">{words.title}</h2>
        <label className="replay-filter">
          <span className="unseen">{words.filter}</span>
          <select
            value={kind}

            onChange={(event) => {
              setKind(event.target.value as EventKind | "all");
            }}
          >
            <option value="all">{words.all}</option>
            {KINDS.map((one) => (
              <option key={one} value={one}>
                {words.kinds[one]}
              </option>
            ))}
          </select>
        </label>
      </div>
      {events.loading && <p role="status">{words.loading}</p>}
      {events.unreadable > 0 && <p className="problem">{words.partly(events.unreadable)}</p>}
      {!events.loading && shown.length === 0 && <p className="muted">{words.none}</p>}
      <Marks marks={shown} player={player} />
    </section>
  );
}

function Marks({ marks, player }: { marks: readonly Mark[]; player: ReplayPlayer }) {
  const { positionUs } = useStore(player.store);
  const passed = marks.filter((mark) => mark.atUs <= positionUs).length;
  return (
    <ol className="replay-marks" data-testid="event-list">
      {marks.map((mark, index) => (
        <li key={index}>
          <button
            type="button"
            className="quiet"
            data-testid="event"
            data-type={mark.type}
            aria-current={index === passed - 1 ? "time" : undefined}
            onClick={() => {
              player.seek(mark.atUs);
            }}
          >
            <span className="replay-mark-time">{timeText(mark.atUs)}</span>
            <i className="replay-mark" data-kind={mark.kind} />
            <MarkWords mark={mark} />
          </button>
        </li>
      ))}
    </ol>
  );
}

function MarkWords({ mark }: { mark: Mark }) {
  const words = useReplayText().events;
  const say = words.types[mark.type];
  return (
    <span>
      {say === undefined ? mark.type : say(mark.who || words.somebody, mark.what, mark.on, mark.by ?? "")}
    </span>
  );
}
