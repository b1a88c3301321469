import { useCallback, useRef, useState } from "react";
import { useText } from "../../i18n/useText";
import { meterPercent, type Level } from "../../media/level";
import { useTicks } from "./useDevices";

const EVERY_MS = 60;
/** A meter that falls slowly can be read. */
const FALLS_PERCENT = 6;
/** A browser that gives no level for so long gives none. */
const UNKNOWN_AFTER = 25;

/** How loud a microphone is, as a bar. Written straight to the page: nothing else is drawn anew. */
export function Meter({ track }: { track: MediaStreamTrack | null }) {
  const { text } = useText();
  const bar = useRef<HTMLDivElement>(null);
  const shown = useRef(0);
  const unread = useRef(0);
  const [unknown, setUnknown] = useState(false);
  const show = useCallback((level: Level | null) => {
    const { current } = bar;
    if (current === null) return;
    unread.current = level === null ? unread.current + 1 : 0;
    setUnknown(unread.current > UNKNOWN_AFTER);
    shown.current = Math.max(level === null ? 0 : meterPercent(level.rms), shown.current - FALLS_PERCENT, 0);
    current.style.setProperty("--level", `${shown.current}%`);
    current.setAttribute("aria-valuenow", String(shown.current));
  }, []);
  useTicks(track, EVERY_MS, show);
  return (
    <div className="meter-row">
      <div
        ref={bar}
        key={track?.id ?? "none"}
        className="meter"
        role="meter"
        data-testid="mic-meter"
        aria-label={text.audio.settings.level}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
      />
      {track === null && <p className="muted">{text.audio.settings.levelOff}</p>}
      {track !== null && unknown && <p className="muted">{text.audio.settings.levelUnknown}</p>}
    </div>
  );
}
