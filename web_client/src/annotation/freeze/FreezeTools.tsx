import { use } from "react";
import type { Feed } from "../../room/feeds";
import type { Still } from "../../protocol/messages";
import { Store } from "../../room/store";
import { useStore } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { useDrawingWords } from "../context";
import { FreezeContext, useFreezeWords } from "./context";
import { NOTHING_FROZEN, shownStill, stillsOf } from "./freezeDesk";
import type { FreezeRoom } from "./freezeRoom";

/** The still that this person is shown of a feed; null: its live picture. */
export function useShownStill(feedId: string): Still | null {
  const room = use(FreezeContext);
  return shownStill(useStore(room?.freezes.store ?? NOWHERE), feedId);
}

const NOWHERE = new Store(NOTHING_FROZEN);

/** Beside a picture's other tools: freeze it, and the way back to what is frozen. */
export function FreezeTools({ feed, name }: { feed: Feed; name: string }) {
  const room = use(FreezeContext);
  return room === null ? null : <Tools feed={feed} name={name} room={room} />;
}

function Tools({ feed, name, room }: { feed: Feed; name: string; room: FreezeRoom }) {
  const words = useFreezeWords();
  const latest = stillsOf(useStore(room.freezes.store), feed.id).at(-1);
  return (
    <>
      {latest !== undefined && (
        <button
          type="button"
          className="quiet"
          data-testid="show-still"
          onClick={() => {
            room.freezes.choose(feed.id, latest.still_id);
          }}
        >
          {words.show}
        </button>
      )}
      <button
        type="button"
        className="quiet freeze"
        data-testid="freeze"
        aria-label={words.freezeOn(name)}
        title={words.freezeOn(name)}
        onClick={() => {
          room.freeze(feed);
        }}
      >
        <FreezeIcon />
        <span>{words.freeze}</span>
      </button>
    </>
  );
}

/** What is on its way, and what did not work, where the picture is looked at. */
export function FreezeWords({ feedId }: { feedId: string }) {
  const room = use(FreezeContext);
  return room === null ? null : <Said feedId={feedId} room={room} />;
}

function Said({ feedId, room }: { feedId: string; room: FreezeRoom }) {
  const words = useFreezeWords();
  const { stills, problems } = useStore(room.freezes.store);
  const code = problems.get(feedId);
  const { refused } = useDrawingWords();
  const known: Partial<Record<string, string>> = { ...refused, ...words.failed, other: "" };
  const waits = stills.some(({ feed, state }) => feed === feedId && state === "wanted");
  const problem = code === undefined ? "" : (known[code] ?? refused.other(code));
  return (
    <p
      className="freeze-words"
      role="status"
      data-problem={code !== undefined}
      data-testid={`freeze-words-${feedId}`}
    >
      {problem !== "" ? problem : waits ? words.fetching : ""}
    </p>
  );
}

function FreezeIcon() {
  return (
    <Icon>
      <path d="M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5" />
    </Icon>
  );
}
