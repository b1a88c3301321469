export interface PageEvents {
  /** A network came back, perhaps another one. */
  networkChanged: () => void;
  /** There is no network at all. */
  networkGone: () => void;
  shown: () => void;
  /** The tab closes or loads something else. */
  gone: () => void;
}

/** What the browser tells a page about itself. Returns how to stop listening. */
export function watchPage({ networkChanged, networkGone, shown, gone }: PageEvents): () => void {
  const visibility = () => {
    if (document.visibilityState === "visible") shown();
  };
  window.addEventListener("online", networkChanged);
  window.addEventListener("offline", networkGone);
  document.addEventListener("visibilitychange", visibility);
  window.addEventListener("pagehide", gone);
  return () => {
    window.removeEventListener("online", networkChanged);
    window.removeEventListener("offline", networkGone);
    document.removeEventListener("visibilitychange", visibility);
    window.removeEventListener("pagehide", gone);
  };
}
