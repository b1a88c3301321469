import { useText } from "../../i18n/useText";
import { WindowIcon } from "../icons";
import { WALL_PAGE, type Page } from "./arrangement";
import type { WallWindowModel } from "./useWallWindow";

/** Below the pictures: the wall's pages and its own window. */
export function StageTools({
  paging,
  count,
  onPage,
  wallWindow,
}: {
  /** null: nothing to turn. */
  paging: Pick<Page<unknown>, "page" | "pages"> | null;
  count: number;
  onPage: (page: number) => void;
  /** null in the wall's own window. */
  wallWindow: WallWindowModel | null;
}) {
  const { wall } = useText().text.stage;
  return (
    <div className="stage-tools" role="group" aria-label={wall.tools}>
      {paging && paging.pages > 1 && <Pages {...paging} count={count} onPage={onPage} />}
      {wallWindow && <WallWindowButton wallWindow={wallWindow} />}
    </div>
  );
}

function Pages({
  page,
  pages,
  count,
  onPage,
}: {
  page: number;
  pages: number;
  count: number;
  onPage: (page: number) => void;
}) {
  const { wall } = useText().text.stage;
  const from = page * WALL_PAGE + 1;
  return (
    <span className="wall-pages">
      <button
        type="button"
        className="icon-only"

        aria-label={wall.previous}
        title={wall.previous}
        aria-disabled={page === 0}
        onClick={() => {
          if (page > 0) onPage(page - 1);
        }}
      >
        ‹
      </button>
      <span role="status">{wall.pages(from, Math.min(count, from + WALL_PAGE - 1), count)}</span>
      <button
        type="button"
        className="icon-only"
        data-testid="wall-next"
        aria-label={wall.next}
        title={wall.next}
        aria-disabled={page === pages - 1}
        onClick={() => {
          if (page < pages - 1) onPage(page + 1);
        }}
      >
        ›
      </button>
    </span>
  );
}

function WallWindowButton({ wallWindow }: { wallWindow: WallWindowModel }) {
  const { wall } = useText().text.stage;
  const isOpen = wallWindow.state === "open";
  return (
    <span className="wall-window-tools">
      <span role="status">
        {isOpen && wall.isOpen}
        {wallWindow.state === "blocked" && wall.blocked}
      </span>
      <button
        type="button"
        className="quiet open-wall"
        data-testid="open-wall"
        title={isOpen ? undefined : wall.openTitle}
        onClick={isOpen ? wallWindow.close : wallWindow.open}
      >
        <WindowIcon />
        <span>{isOpen ? wall.close : wall.open}</span>
      </button>
    </span>
  );
}
