import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Store } from "../room/store";

export function useStore<Value>(store: Store<Value>): Value {
  return useSyncExternalStore(store.subscribe, store.get);
}

/** `performance.now()`, renewed every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(performance.now());
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs]);
  return now;
}

/** Unix ms, renewed every `everyMs`. */
export function useWallClock(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs]);
  return now;
}

/** Seconds left of a wait that began now; null while there is none. Call `wait` to begin one. */
export function useCountdown(): [leftS: number | null, wait: (seconds: number) => void] {
  const [untilMs, setUntilMs] = useState<number | null>(null);
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (untilMs === null) return;
    const timer = setInterval(() => {
      setNow(performance.now());
      if (performance.now() >= untilMs) setUntilMs(null);
    }, 250);
    return () => {
      clearInterval(timer);
    };
  }, [untilMs]);
  const wait = (seconds: number) => {
    setNow(performance.now());
    setUntilMs(performance.now() + seconds * 1000);
  };
  return [untilMs === null ? null : Math.max(1, Math.ceil((untilMs - now) / 1000)), wait];
}

/** What is shown in the browser's tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/**
 * When `page` becomes another one, focus goes to its heading, so that screen readers and keys begin there; unless
 * the page put the focus somewhere itself.
 */
export function useFocusOnNavigation(page: string): void {
  const shown = useRef(page);
  useEffect(() => {
    if (shown.current === page) return;
    shown.current = page;
    const heading = document.querySelector<HTMLElement>("main h1, h1");
    const focused = document.activeElement;
    if (heading === null || (focused !== null && focused !== document.body)) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [page]);
}
