import { useText } from "../../../i18n/useText";
import { personOf } from "../../../room/chatDesk";
import type { RoomClient } from "../../../room/client";
import type { RoomState } from "../../../room/state";
import { Panel } from "../Panel";
import { OpinionEditor } from "./OpinionEditor";
import { OpinionList } from "./OpinionList";

interface Props {
  client: RoomClient;
  state: RoomState;
  onClose: () => void;
}

/** What was filed, for everybody; specialists write below it. */
export function OpinionPanel({ client, state, onClose }: Props) {
  const { text } = useText();
  const words = text.panels.opinion;
  const { opinions, me } = state;
  const writes = me?.role === "specialist";
  const addendum = me !== null && opinions.some(({ person }) => person === personOf(me));
  return (
    <Panel title={words.title} testId="opinion-panel" onClose={onClose}>
      <div
        className="opinion-log"
        // What scrolls has to be reachable without a mouse.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        role="group"
        aria-label={words.filed}
      >
        <p role="status" className="only-heard">
          {opinions.length > 0 && words.written(opinions.length)}
        </p>
        {opinions.length === 0 && <p className="muted">{writes ? words.noneYours : words.none}</p>}
        <OpinionList opinions={opinions} />
      </div>
      {writes && <OpinionEditor client={client} addendum={addendum} />}
    </Panel>
  );
}
