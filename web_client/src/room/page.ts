export interface PageEvents {
  /** A network came back, perhaps another one. */
  networkChanged: () => void;
  shown: () => void;
  /** The tab closes or loads something else. */
  gone: () => void;
}

/** What the browser tells a page about itself. Returns how to stop listening. */
export function watchPage({ networkChanged, shown, gone }: PageEvents): () => void {
  const visibility = () => {
    if (document.visibilityState === "visible") shown();
  };
  window.addEventListener("online", networkChanged);
  document.addEventListener("visibilitychange", visibility);
  window.addEventListener("pagehide", gone);
  return () => {
    window.removeEventListener("online", networkChanged);
    document.removeEventListener("visibilitychange", visibility);
    window.removeEventListener("pagehide", gone);
  };
}
