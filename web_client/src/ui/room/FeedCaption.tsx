import type { FeedReading } from "../../media/monitor";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { Feed, ShownStatus } from "../../room/feeds";

const STATUS_WORDS: Record<Exclude<ShownStatus, "unsupported">, (text: Dictionary) => string> = {
  waiting: (text) => text.feed.waiting,
  live: (text) => text.feed.live,
  "no-signal": (text) => text.feed.noSignal,
  reconnecting: (text) => text.feed.reconnecting,
  left: (text) => text.feed.left,
};

/** What a feed is doing, in words. `codec` names what cannot be shown. */
export function statusWords(status: ShownStatus, codec: string | null, text: Dictionary): string {
  return status === "unsupported" ? text.feed.unsupported(codec ?? "?") : STATUS_WORDS[status](text);
}

export function feedName(feed: Feed, text: Dictionary): string {
  return feed.kind === "screen" ? text.feed.screenOf(feed.name) : feed.name;
}

/** The line under a picture: name, state, and how good and how old the picture is. Never over the picture. */
export function FeedCaption({
  feed,
  reading,
  status,
  codec,
}: {
  feed: Feed;
  reading: FeedReading | null;
  status: ShownStatus;
  codec: string | null;
}) {
  const { text } = useText();
  return (
    <>
      <span className="feed-name">{feedName(feed, text)}</span>
      <span className="feed-state" data-status={status}>
        {statusWords(status, codec, text)}
      </span>
      {status === "live" && reading && <Measurements reading={reading} />}
    </>
  );
}

function Measurements({ reading }: { reading: FeedReading }) {
  const { text } = useText();
  const { ageMs, framesPerSecond, width, height, judgement } = reading;
  return (
    <>
      {judgement && (
        <span className="feed-judgement" data-judgement={judgement} title={text.feed.judgementLabel}>
          <JudgementMark filled={{ good: 3, fair: 2, poor: 1 }[judgement]} />
          {text.feed.judgement[judgement]}
        </span>
      )}
      <span className="feed-age" title={text.feed.ageLabel}>
        {ageMs === null ? text.feed.ageUnknown : text.feed.age(ageMs)}
      </span>
      {width > 0 && <span className="feed-size">{text.feed.size(width, height)}</span>}
      {framesPerSecond !== null && <span className="feed-rate">{text.feed.rate(framesPerSecond)}</span>}
    </>
  );
}

/** Three bars, so that the judgement shows without its colour too. */
function JudgementMark({ filled }: { filled: number }) {
  return (
    <svg className="bars" viewBox="0 0 12 12" aria-hidden="true" focusable="false">
      {[0, 1, 2].map((bar) => (
        <rect
          key={bar}
          x={bar * 4.4}
          y={8 - bar * 3.5}
          width="3"
          height={4 + bar * 3.5}
          rx="0.8"
          fill="currentColor"
          opacity={bar < filled ? 1 : 0.25}
        />
      ))}
    </svg>
  );
}
