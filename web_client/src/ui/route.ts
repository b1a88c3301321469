import { useSyncExternalStore } from "react";

/** Pages live behind `#`, so that any static server can serve them and a reload comes back to the same one. */
export function roomInHash(hash: string): string | null {
  const found = /^#\/room\/([a-z0-9][a-z0-9-]{0,63})$/.exec(hash);
  return found?.[1] ?? null;
}

export function goToRoom(room: string): void {
  window.location.hash = `/room/${room}`;
}

export function goToList(): void {
  window.location.hash = "/";
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => {
    window.removeEventListener("hashchange", listener);
  };
}

export function useRoomInHash(): string | null {
  return useSyncExternalStore(subscribe, () => roomInHash(window.location.hash));
}
