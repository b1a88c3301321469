import { useCallback } from "react";
import type { FeedReading } from "../../media/monitor";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { shownStatus, type Feed, type ShownStatus } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { FullScreenIcon } from "../icons";
import { useNow } from "../hooks";
import { FeedCaption, feedName, statusWords } from "./FeedCaption";
import { useIsFullScreen } from "./fullScreen";
import { RemoteVideo } from "./RemoteVideo";
import { spanWords } from "./spans";

interface Props {
  feed: Feed;
  client: RoomClient;
  state: RoomState;
  reading: FeedReading | null;
  focused: boolean;
  onFocus: (id: string) => void;
  onFullScreen: (id: string) => void;
}

/** One picture on the wall or in focus. The same element in both places, so that changing places never blinks. */
export function FeedTile({ feed, client, state, reading, focused, onFocus, onFullScreen }: Props) {
  const { text } = useText();
  const name = feedName(feed, text);
  const status = shownStatus(feed, reading);
  const codec = state.unsupported.get(feed.trackId ?? "") ?? null;
  const fullScreen = useIsFullScreen(feed.id);
  const fullScreenWords = fullScreen ? text.feed.endFullScreen : text.feed.fullScreen;
  const remote = feed.trackId === null ? undefined : state.remote.get(feed.trackId);
  const onFrame = useCallback(
    (rtpTimestamp: number | null, shownMs: number) => {
      if (feed.trackId !== null) client.monitor.frameShown(feed.trackId, rtpTimestamp, shownMs);
    },
    [client, feed.trackId],
  );
  return (
    <section
      className="tile"
      id={`tile-${feed.id}`}
      data-testid={`feed-${feed.id}`}
      data-focused={focused}
      data-kind={feed.kind}
      data-status={status}
      aria-label={name}
    >
      <div className="picture">
        {remote && <RemoteVideo stream={remote.stream} onFrame={onFrame} />}
        {status !== "live" && (
          <StoppedNotice
            feed={feed}
            status={status}
            stoppedForS={reading?.stoppedForS ?? null}
            codec={codec}
          />
        )}
        <button
          type="button"
          className="cover"
          aria-label={focused ? `${text.feed.fullScreen}: ${name}` : text.feed.focus(name)}
          onClick={(event) => {
            // Without a pointer there is no double click: the picture in focus then goes to full screen.
            if (focused && event.detail === 0) onFullScreen(feed.id);
            else if (event.detail < 2) onFocus(feed.id);
          }}
        />
      </div>
      <div className="caption">
        <FeedCaption feed={feed} reading={reading} status={status} codec={codec} />
        <button
          type="button"
          className="quiet icon-only full-screen"
          aria-label={`${fullScreenWords}: ${name}`}
          title={fullScreenWords}
          onClick={() => {
            onFullScreen(feed.id);
          }}
        >
          <FullScreenIcon />
        </button>
      </div>
    </section>
  );
}

/** Stands over a picture that is not live: what is wrong and since when. */
function StoppedNotice({
  feed,
  status,
  stoppedForS,
  codec,
}: {
  feed: Feed;
  status: ShownStatus;
  stoppedForS: number | null;
  codec: string | null;
}) {
  const { text } = useText();
  return (
    <div className="stopped">
      <strong>{statusWords(status, codec, text)}</strong>
      {status === "unsupported" && <span>{text.feed.unsupportedHint}</span>}
      {feed.departed && <GoneSince {...feed.departed} />}
      {!feed.departed && stoppedForS !== null && (
        <span>{text.feed.lastPicture(spanWords(stoppedForS, text))}</span>
      )}
    </div>
  );
}

function GoneSince({ sinceMs, expectedBack }: NonNullable<Feed["departed"]>) {
  const { text } = useText();
  const now = useNow(1000);
  const seconds = Math.max(0, Math.floor((now - sinceMs) / 1000));
  const words = expectedBack ? text.feed.lastPicture : text.feed.leftSince;
  return <span>{words(spanWords(seconds, text))}</span>;
}
