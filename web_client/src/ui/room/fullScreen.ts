import { useSyncExternalStore } from "react";

const tileId = (feedId: string) => `tile-${feedId}`;

/** A tile with its caption fills the screen, so that name, age and state stay in sight. Again: back. */
export function toggleFullScreen(feedId: string): void {
  const tile = document.getElementById(tileId(feedId));
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  // Refused by policy or on iPhones: the picture simply stays where it is.
  else void tile?.requestFullscreen().catch(() => undefined);
}

function subscribe(listener: () => void): () => void {
  document.addEventListener("fullscreenchange", listener);
  return () => {
    document.removeEventListener("fullscreenchange", listener);
  };
}

export function useIsFullScreen(feedId: string): boolean {
  return useSyncExternalStore(subscribe, () => document.fullscreenElement?.id === tileId(feedId));
}
