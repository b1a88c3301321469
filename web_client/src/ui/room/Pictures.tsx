import {
  useCallback,
  useEffect,
  useEffectEvent,
  useRef,
  useState,
  type CSSProperties,
  type RefObject,
} from "react";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { Feed } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { pageOf, sidePlaces, WALL_PAGE, wallColumns, type SidePlace } from "./arrangement";
import { watchDrag } from "./dragTiles";
import { FeedTile } from "./FeedTile";
import { toggleFullScreen, usePageDocument } from "./fullScreen";
import { SelfTile } from "./SelfTile";
import { StageTools } from "./StageTools";
import { MovingContext, useMoving, type Moving } from "./useMoving";
import { remPx, useSize } from "./useSize";
import type { StageModel, View } from "./useStage";

interface Props {
  client: RoomClient;
  state: RoomState;
  stage: StageModel;
  view: View;
  /** This is the wall's own window. */
  ownWindow?: boolean;
}

/**
 * The first click of a double click may already have moved the picture away from under the pointer: full screen goes
 * to the picture that was clicked first, wherever the second click lands. Two taps of a finger are left to the zoom.
 */
function useDoubleClick(element: RefObject<HTMLElement | null>, act: () => void): void {
  const onDoubleClick = useEffectEvent(act);
  useEffect(() => {
    const node = element.current;
    let touched = false;
    const down = (event: PointerEvent) => {
      touched = event.pointerType === "touch";
    };
    const double = () => {
      if (!touched) onDoubleClick();
    };
    node?.addEventListener("pointerdown", down, true);
    node?.addEventListener("dblclick", double);
    return () => {
      node?.removeEventListener("pointerdown", down, true);
      node?.removeEventListener("dblclick", double);
    };
  }, [element]);
}

function useDrag(element: RefObject<HTMLElement | null>, moving: Moving): void {
  const over = useEffectEvent(moving.drag.over);
  const dropped = useEffectEvent(moving.drag.dropped);
  useEffect(() => {
    if (element.current === null) return undefined;
    return watchDrag(element.current, {
      over: (id, target) => {
        over(id, target);
      },
      dropped: (id, target) => {
        dropped(id, target);
      },
    });
  }, [element]);
}

const CAPTION_REM = 2.5;

/** Moving a picture beyond its page turns the page. */
function following(move: StageModel["move"], setPage: (page: number) => void): StageModel["move"] {
  return (id, to) => {
    move(id, to);
    setPage(Math.floor(to / WALL_PAGE));
  };
}

/** All pictures: one large with the others at the side, or an even wall, page by page. */
export function Pictures({ client, state, stage, view, ownWindow = false }: Props) {
  const page = usePageDocument();
  const frame = useRef<HTMLDivElement>(null);
  const clicked = useRef<string | null>(null);
  const [wantedPage, setPage] = useState(0);
  const { feeds, choose } = stage;
  // While the wall has its own window, this one shows the main picture alone, as large as it goes.
  const alone = !ownWindow && stage.wallWindow.state === "open";
  const focusId = view === "focus" || alone ? (stage.focus?.id ?? null) : null;
  const paging = pageOf(feeds, wantedPage);
  const shown = alone ? feeds.filter(({ id }) => id === focusId) : focusId === null ? paging.shown : feeds;
  const { camera } = state.devices;
  const own = camera.phase === "on" && !alone ? camera.stream : null;
  const layout = useLayout(frame, shown, focusId, own !== null);
  const moving = useMoving({ feeds, move: following(stage.move, setPage) }, layout.columns);
  useDrag(frame, moving);
  useDoubleClick(frame, () => {
    if (clicked.current !== null) toggleFullScreen(clicked.current, page);
  });
  const onFocus = useCallback(
    (id: string) => {
      clicked.current = id;
      choose(id);
    },
    [choose],
  );
  // Beside a large picture there is room; below it, it would be smaller.
  const toolsInside = focusId !== null && layout.side === "used";
  const tools = (
    <StageTools
      paging={focusId === null ? paging : null}
      count={feeds.length}
      onPage={setPage}
      wallWindow={ownWindow || feeds.length < 2 ? null : stage.wallWindow}
    />
  );
  return (
    <MovingContext value={moving}>
      <div className="stage-frame" ref={frame}>
        <div
          className="stage"
          data-view={focusId === null ? "wall" : "focus"}
          data-side={layout.side}
          style={layout.style}
        >
          {feeds.length === 0 && <NoFeeds />}
          {shown.map((feed) => (
            <FeedTile
              key={feed.id}
              feed={feed}
              monitor={client.monitor}
              viewing={client.viewing}
              remote={feed.trackId === null ? undefined : state.remote.get(feed.trackId)}
              codec={state.unsupported.get(feed.trackId ?? "") ?? null}
              zoom={stage.zooms.of(feed.id)}
              focused={feed.id === focusId}
              small={isSmall(feed)}
              row={layout.places.get(feed.id)?.row}
              column={layout.places.get(feed.id)?.column}
              onFocus={onFocus}
              movable={focusId === null && feeds.length > 1}
              mark={feed.id === moving.id ? "moving" : feed.id === moving.drop ? "drop" : undefined}
              recording={state.consultation?.recording ?? "off"}
            />
          ))}
          {own && <SelfTile stream={own} {...layout.places.get(SELF)} />}
          {toolsInside && tools}
        </div>
      </div>
      <p className={moving.id === null ? "moving-words only-heard" : "moving-words"} role="status">
        {moving.words}
      </p>
      {!toolsInside && tools}
    </MovingContext>
  );
}

const SELF = "self";
const isSmall = (feed: Feed) => feed.kind === "person";

/** Columns of the wall, or places beside the picture in focus. */
function useLayout(
  frame: RefObject<HTMLElement | null>,
  shown: readonly Feed[],
  focusId: string | null,
  self: boolean,
) {
  const { width, height } = useSize(frame);
  const page = usePageDocument();
  const tiles = Math.max(1, shown.length + (self ? 1 : 0));
  const columns = wallColumns(tiles, width, height, CAPTION_REM * remPx(page));
  const beside = shown
    .filter(({ id }) => id !== focusId)
    .map((feed) => ({ id: feed.id, small: isSmall(feed) }));
  const places: ReadonlyMap<string, SidePlace> =
    focusId === null ? new Map() : sidePlaces(self ? [...beside, { id: SELF, small: true }] : beside);
  const sideRows = Math.max(1, ...[...places.values()].map(({ row }) => row));
  const style = {
    "--side-rows": sideRows,
    "--wall-columns": columns,
    "--wall-rows": Math.ceil(tiles / columns),
  } as CSSProperties;
  return { columns, places, style, side: places.size === 0 ? "empty" : "used" };
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
