import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { FeedTile } from "../room/FeedTile";
import type { StageModel } from "../room/useStage";

interface Props {
  client: RoomClient;
  state: RoomState;
  stage: StageModel;
}

/** What the experts see: one picture large, the others below it, a touch away. */
export function SitePictures({ client, state, stage }: Props) {
  const { text } = useText();
  const words = text.stage.onsite;
  const pictures = stage.feeds.filter((feed) => feed.kind !== "person");
  const focus = pictures.find((feed) => feed.id === stage.focus?.id) ?? pictures[0] ?? null;
  return (
    <section className="onsite-pictures" aria-label={words.pictures} data-count={pictures.length}>
      {focus === null && (
        <div className="no-feeds">
          <p>{text.room.noFeeds}</p>
          <p className="muted">{text.room.noFeedsHint}</p>
        </div>
      )}
      {pictures.map((feed) => (
        <FeedTile
          key={feed.id}
          feed={feed}
          monitor={client.monitor}
          viewing={client.viewing}
          remote={feed.trackId === null ? undefined : state.remote.get(feed.trackId)}
          codec={state.unsupported.get(feed.trackId ?? "") ?? null}
          zoom={stage.zooms.of(feed.id)}
          focused={feed.id === focus?.id}
          small={false}
          row={undefined}
          column={undefined}
          onFocus={stage.choose}
          movable={false}
          mark={undefined}
          recording={state.consultation?.recording ?? "off"}
        />
      ))}
    </section>
  );
}
