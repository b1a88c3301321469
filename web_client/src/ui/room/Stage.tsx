import {
  useEffect,
  useEffectEvent,
  useRef,
  useState,
  type CSSProperties,
  type ReactNode,
  type RefObject,
} from "react";
import type { Readings } from "../../media/monitor";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { Feed } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { wallColumns } from "./arrangement";
import type { View } from "./Controls";
import { FeedTile } from "./FeedTile";
import { SelfTile } from "./SelfTile";

interface Props {
  client: RoomClient;
  state: RoomState;
  readings: Readings;
  feeds: readonly Feed[];
  focus: Feed | null;
  view: View;
  onFocus: (id: string) => void;
  onFullScreen: (id: string) => void;
  /** The list of people, when shown. */
  children: ReactNode;
}

/** Width and height of an element's content, kept up to date. */
function useSize(element: RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 1, height: 1 });
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(element.current);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return size;
}

/**
 * The first click of a double click may already have moved the picture away from under the pointer: full screen goes
 * to the picture that was clicked first, wherever the second click lands.
 */
function useDoubleClick(element: RefObject<HTMLElement | null>, act: () => void): void {
  const onDoubleClick = useEffectEvent(act);
  useEffect(() => {
    const node = element.current;
    const listener = () => {
      onDoubleClick();
    };
    node?.addEventListener("dblclick", listener);
    return () => node?.removeEventListener("dblclick", listener);
  }, [element]);
}

const CAPTION_REM = 2.5;

/** All pictures: one large with the others at the side, or an even wall. */
export function Stage({
  client,
  state,
  readings,
  feeds,
  focus,
  view,
  onFocus,
  onFullScreen,
  children,
}: Props) {
  const { text } = useText();
  const frame = useRef<HTMLDivElement>(null);
  const clicked = useRef<string | null>(null);
  const { width, height } = useSize(frame);
  useDoubleClick(frame, () => {
    if (clicked.current !== null) onFullScreen(clicked.current);
  });
  const { camera } = state.devices;
  const own = camera.phase === "on" ? camera.stream : null;
  const tiles = feeds.length + (own ? 1 : 0);
  const captionPx = CAPTION_REM * rootFontPx();
  const columns = wallColumns(Math.max(1, tiles), width, height, captionPx);
  const layout = {
    "--side-rows": Math.max(1, tiles - 1),
    "--wall-columns": columns,
    "--wall-rows": Math.max(1, Math.ceil(tiles / columns)),
  } as CSSProperties;
  const sideEmpty = tiles <= 1 && !children;
  return (
    <main className="stage-frame" ref={frame} aria-label={text.room.feeds}>
      <div className="stage" data-view={view} data-side={sideEmpty ? "empty" : "used"} style={layout}>
        {feeds.length === 0 && <NoFeeds />}
        {feeds.map((feed) => (
          <FeedTile
            key={feed.id}
            feed={feed}
            client={client}
            state={state}
            reading={readings.feeds.get(feed.trackId ?? "") ?? null}
            focused={view === "focus" && feed.id === focus?.id}
            onFocus={(id) => {
              clicked.current = id;
              onFocus(id);
            }}
            onFullScreen={onFullScreen}
          />
        ))}
        {own && <SelfTile stream={own} />}
        {children}
      </div>
    </main>
  );
}

function NoFeeds() {
  const { text } = useText();
  return (
    <div className="no-feeds">
      <p>{text.room.noFeeds}</p>
      <p className="muted">{text.room.noFeedsHint}</p>
    </div>
  );
}

function rootFontPx(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}
