import type { MediaMonitor } from "../../media/monitor";
import type { Codec } from "../../media/codecs";
import { unsupportedAdvice } from "../../media/unsupported";
import { useText } from "../../i18n/useText";
import type { Feed, ShownStatus } from "../../room/feeds";
import { useNow } from "../hooks";
import { statusWords } from "./FeedCaption";
import { spanWords } from "./spans";
import { useReading } from "./useReadings";

interface Props {
  monitor: Pick<MediaMonitor, "readings">;
  feed: Feed;
  status: Exclude<ShownStatus, "live">;
  codec: Codec | null;
}

/** Hangs over a picture that is not live: what is wrong, since when, and what helps. */
export function Curtain({ monitor, feed, status, codec }: Props) {
  const { text } = useText();
  const opaque = status === "paused" || status === "off" || status === "held";
  return (
    <div className="curtain" data-opaque={opaque} data-testid={status === "paused" ? "paused" : undefined}>
      <strong>{statusWords(status, feed.kind, codec, text)}</strong>
      {status === "paused" && <span className="curtain-hint">{text.stage.pausedHint}</span>}
      {status === "unsupported" && <UnsupportedHint codec={codec} />}
      {feed.departed && <GoneSince {...feed.departed} />}
      {!feed.departed && (!opaque || status === "held") && (
        <StoppedSince monitor={monitor} trackId={feed.trackId} />
      )}
    </div>
  );
}

function UnsupportedHint({ codec }: { codec: Codec | null }) {
  const { stage } = useText().text;
  const advice = unsupportedAdvice(codec, navigator.userAgent);
  const words = advice === "turn-on-openh264" ? stage.unsupportedFirefox : stage.unsupportedOther;
  return <span className="curtain-hint">{words}</span>;
}

function StoppedSince({ monitor, trackId }: { monitor: Props["monitor"]; trackId: string | null }) {
  const { text } = useText();
  const stoppedForS = useReading(monitor, trackId)?.stoppedForS ?? null;
  if (stoppedForS === null) return null;
  return <span>{text.feed.lastPicture(spanWords(stoppedForS, text))}</span>;
}

function GoneSince({ sinceMs, expectedBack }: NonNullable<Feed["departed"]>) {
  const { text } = useText();
  const now = useNow(1000);
  const seconds = Math.max(0, Math.floor((now - sinceMs) / 1000));
  const words = expectedBack ? text.feed.lastPicture : text.feed.leftSince;
  return <span>{words(spanWords(seconds, text))}</span>;
}
