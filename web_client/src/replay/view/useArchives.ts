import { useEffect, useState } from "react";
import type { Session } from "../../api/session";
import { listArchives, PAGE_ITEMS, type ArchiveItem } from "../calls";

const LOOK_EVERY_MS = 30_000;

interface Listed {
  items: readonly ArchiveItem[] | null;
  failed: boolean;
  /** There may be older ones. */
  hasMore: boolean;
}

/** The archived consultations, newest first; looked at again now and then, older ones when they are asked for. */
export function useArchives(session: Session): Listed & { more: () => void } {
  const [listed, setListed] = useState<Listed>({ items: null, failed: false, hasMore: false });
  useEffect(() => {
    let stopped = false;
    const look = () => {
      listArchives(session, null).then(
        (newest) => {
          if (!stopped) setListed((before) => withNewest(before, newest));
        },
        () => {
          if (!stopped) setListed((before) => ({ ...before, failed: true }));
        },
      );
    };
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [session]);
  const more = () => {
    const last = listed.items?.at(-1);
    if (last === undefined) return;
    listArchives(session, last.opened_at_us).then(
      (older) => {
        setListed((before) => ({
          items: [...(before.items ?? []), ...older],
          failed: false,
          hasMore: older.length === PAGE_ITEMS,
        }));
      },
      () => {
        setListed((before) => ({ ...before, failed: true }));
      },
    );
  };
  return { ...listed, more };
}

/** The newest page anew, and what was loaded behind it. */
function withNewest(before: Listed, newest: readonly ArchiveItem[]): Listed {
  const oldest = newest.at(-1)?.opened_at_us ?? Number.POSITIVE_INFINITY;
  const behind = (before.items ?? []).filter((item) => item.opened_at_us < oldest);
  const full = newest.length === PAGE_ITEMS;
  return {
    items: full ? [...newest, ...behind] : newest,
    failed: false,
    hasMore: full && (before.items === null || before.hasMore),
  };
}
