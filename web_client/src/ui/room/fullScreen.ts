import { createContext, use, useCallback, useEffect, useSyncExternalStore } from "react";
import { Store } from "../../room/store";

/** The page a picture is shown on: the wall may have a window of its own. */
export const PageDocument = createContext<Document | null>(null);

export function usePageDocument(): Document {
  return use(PageDocument) ?? document;
}

const tileId = (feedId: string) => `tile-${feedId}`;

/** The tile that fills the page where the browser has no full screen for it, as on iPhones. */
const filling = new Store<string | null>(null);

/** A tile with its caption fills the screen, so that name, age and state stay in sight. Again: back. */
export function toggleFullScreen(feedId: string, page: Document = document): void {
  const id = tileId(feedId);
  const tile = page.getElementById(id);
  if (filling.get() !== null) filling.set(null);
  else if (page.fullscreenElement?.id === id) void page.exitFullscreen();
  else if (tile !== null) void fill(tile);
}

async function fill(tile: HTMLElement): Promise<void> {
  try {
    await tile.requestFullscreen();
  } catch {
    // Not there, or refused: then the page is filled.
    filling.set(tile.id);
  }
}

/** The wall's own window, all of it. */
export function togglePageFullScreen(page: Document): void {
  if (page.fullscreenElement !== null) void page.exitFullscreen();
  // Refused by policy: the window simply stays as it is.
  else void page.documentElement.requestFullscreen().catch(() => undefined);
}

export type Filled = "no" | "screen" | "page";

/** Whether this picture fills the screen, or the page in its place. */
export function useFilled(feedId: string): Filled {
  const page = usePageDocument();
  const id = tileId(feedId);
  const subscribe = useCallback(
    (listener: () => void) => {
      const stop = filling.subscribe(listener);
      page.addEventListener("fullscreenchange", listener);
      return () => {
        stop();
        page.removeEventListener("fullscreenchange", listener);
      };
    },
    [page],
  );
  const get = (): Filled =>
    page.fullscreenElement?.id === id ? "screen" : filling.get() === id ? "page" : "no";
  const filled = useSyncExternalStore(subscribe, get);
  useEscapeFrom(filled === "page", page);
  return filled;
}

/** What the browser does by itself on a real full screen; and a tile that goes does not leave the page filled. */
function useEscapeFrom(filled: boolean, page: Document): void {
  useEffect(() => {
    if (!filled) return undefined;
    const leave = (event: KeyboardEvent) => {
      if (event.key === "Escape") filling.set(null);
    };
    page.addEventListener("keydown", leave);
    return () => {
      page.removeEventListener("keydown", leave);
      filling.set(null);
    };
  }, [filled, page]);
}
