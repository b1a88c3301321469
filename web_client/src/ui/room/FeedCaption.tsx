import type { FeedReading, MediaMonitor } from "../../media/monitor";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { Feed, ShownStatus } from "../../room/feeds";
import { useReading } from "./useReadings";

type PlainStatus = Exclude<ShownStatus, "unsupported" | "off">;

const STATUS_WORDS: Record<PlainStatus, (text: Dictionary) => string> = {
  waiting: (text) => text.feed.waiting,
  live: (text) => text.feed.live,
  held: (text) => text.stage.status.held,
  stalled: (text) => text.stage.status.stalled,
  "no-signal": (text) => text.feed.noSignal,
  reconnecting: (text) => text.feed.reconnecting,
  left: (text) => text.feed.left,
  paused: (text) => text.stage.status.paused,
};

/** What a feed is doing, in words. `codec` names what cannot be shown. */
export function statusWords(
  status: ShownStatus,
  kind: Feed["kind"],
  codec: string | null,
  text: Dictionary,
): string {
  if (status === "unsupported") return text.feed.unsupported(codec ?? "?");
  const { cameraOff, pictureOff } = text.stage.status;
  if (status === "off") return kind === "person" ? cameraOff : pictureOff;
  return STATUS_WORDS[status](text);
}

/** What was made smaller, and by whom. */
export function loweredWords(reason: "network" | "source", kind: Feed["kind"], text: Dictionary): string {
  const { network, site, person } = text.stage.lowered;
  if (reason === "network") return network;
  return kind === "device" ? site : person;
}

export function feedName(feed: Feed, text: Dictionary): string {
  return feed.kind === "screen" ? text.feed.screenOf(feed.name) : feed.name;
}

interface Props {
  monitor: Pick<MediaMonitor, "readings">;
  feed: Feed;
  status: ShownStatus;
  codec: string | null;
}

/** The line under a picture: name, state, and how good and how old the picture is. Never over the picture. */
export function FeedCaption({ monitor, feed, status, codec }: Props) {
  const { text } = useText();
  const reading = useReading(monitor, feed.trackId);
  return (
    <>
      <span className="feed-name">{feedName(feed, text)}</span>
      <span className="feed-state" data-status={status}>
        {statusWords(status, feed.kind, codec, text)}
      </span>
      {status === "live" && reading?.lowered && <LoweredWords reason={reading.lowered} kind={feed.kind} />}
      {status === "live" && reading && <Measurements reading={reading} />}
    </>
  );
}

function LoweredWords({ reason, kind }: { reason: "network" | "source"; kind: Feed["kind"] }) {
  const { text } = useText();
  const long = loweredWords(reason, kind, text);
  return (
    <span className="feed-lowered" data-reason={reason} title={long}>
      <Words long={long} short={text.stage.lowered.short[reason]} />
    </span>
  );
}

function Measurements({ reading }: { reading: FeedReading }) {
  const { text } = useText();
  const { ageMs, framesPerSecond, width, height, judgement, lossPercent } = reading;
  return (
    <>
      {judgement && (
        <span
          className="feed-judgement"
          data-judgement={judgement}
          title={`${text.feed.judgementLabel}: ${text.stage.judgement[judgement]}`}
        >
          <JudgementMark filled={{ good: 3, fair: 2, poor: 1 }[judgement]} />
          <Words long={text.feed.judgement[judgement]} short={text.stage.judgement[judgement]} />
        </span>
      )}
      <span className="feed-age" title={text.feed.ageLabel}>
        {ageMs === null ? (
          <Words long={text.feed.ageUnknown} short={text.stage.ageUnknown} />
        ) : (
          <Words long={text.feed.age(ageMs)} short={text.stage.age(ageMs)} />
        )}
      </span>
      {lossPercent > 0 && <span className="feed-loss">{text.stage.loss(lossPercent)}</span>}
      {width > 0 && <span className="feed-size">{text.feed.size(width, height)}</span>}
      {framesPerSecond !== null && <span className="feed-rate">{text.feed.rate(framesPerSecond)}</span>}
    </>
  );
}

/** Under a small picture the short ones are shown; never both. */
function Words({ long, short }: { long: string; short: string }) {
  return (
    <>
      <span className="long-words">{long}</span>
      <span className="short-words">{short}</span>
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
