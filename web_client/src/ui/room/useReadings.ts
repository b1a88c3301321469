import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import type { FeedStatus } from "../../media/feedStatus";
import type { FeedReading, MediaMonitor } from "../../media/monitor";

/**
 * Readings change four times a second; these hooks draw anew only the component that shows what changed, never the
 * room around it.
 */
type Watched = Pick<MediaMonitor, "readings">;

export function useFeedStatus(monitor: Watched, trackId: string | null): FeedStatus | null {
  const get = () => monitor.readings.get().feeds.get(trackId ?? "")?.status ?? null;
  return useSyncExternalStore(monitor.readings.subscribe, get);
}

/** A delay that differs by less says nothing new. */
const AGE_STEP_MS = 10;
const RATE_STEP = 1;

/** True when the words beside a picture may stay as they are: numbers that dance cannot be read. */
export function readsAlike(a: FeedReading, b: FeedReading): boolean {
  const near = (one: number | null, other: number | null, step: number) =>
    one === other || (one !== null && other !== null && Math.abs(one - other) <= step);
  return (
    a.status === b.status &&
    a.judgement === b.judgement &&
    a.width === b.width &&
    a.height === b.height &&
    a.stoppedForS === b.stoppedForS &&
    a.lossPercent === b.lossPercent &&
    a.lowered === b.lowered &&
    near(a.ageMs, b.ageMs, AGE_STEP_MS) &&
    near(a.framesPerSecond, b.framesPerSecond, RATE_STEP)
  );
}

/** Reads one feed's reading, calmly: the same object until something worth telling has changed. */
export function calmReader(monitor: Watched, trackId: string | null): () => FeedReading | null {
  let shown: FeedReading | null = null;
  return () => {
    const latest = monitor.readings.get().feeds.get(trackId ?? "") ?? null;
    if (shown === null || latest === null || !readsAlike(shown, latest)) shown = latest;
    return shown;
  };
}

export function useReading(monitor: Watched, trackId: string | null): FeedReading | null {
  const get = useMemo(() => calmReader(monitor, trackId), [monitor, trackId]);
  return useSyncExternalStore(monitor.readings.subscribe, get);
}

/** Audio tracks on which somebody speaks now; the same set until it changes. */
export function useSpeaking(monitor: Watched): ReadonlySet<string> {
  const get = useCallback(() => monitor.readings.get().speaking, [monitor]);
  return useSyncExternalStore(monitor.readings.subscribe, get);
}

const WINDOW_EVERY_MS = 250;

/**
 * Keeps the readings up to date by the clock of the window that shows them: browsers slow the room's own down while
 * that one is hidden, and a picture that stopped must not be called live for longer because of it.
 */
export function useWindowClock(page: Document, monitor: Pick<MediaMonitor, "publish">): void {
  useEffect(() => {
    const view = page.defaultView;
    const timer = view?.setInterval(() => {
      monitor.publish();
    }, WINDOW_EVERY_MS);
    return () => {
      view?.clearInterval(timer);
    };
  }, [page, monitor]);
}
