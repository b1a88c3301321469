import { useText } from "../../i18n/useText";
import { loweredFeeds } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { feedName } from "./FeedCaption";

/** What this person's network does not carry, for those who hear the page: the others see it at every picture. */
export function LoweredWords({ state }: { state: RoomState }) {
  const { text } = useText();
  const { paused, smaller, separator } = text.stage.lowered;
  const feeds = loweredFeeds(state);
  const names = (of: readonly (typeof feeds.held)[number][]) =>
    of.map((feed) => feedName(feed, text)).join(separator);
  return (
    <p className="only-heard" role="status" data-testid="lowered-words">
      {feeds.held.length > 0 && paused(names(feeds.held))}
      {feeds.held.length > 0 && feeds.smaller.length > 0 && " "}
      {feeds.smaller.length > 0 && smaller(names(feeds.smaller))}
    </p>
  );
}
