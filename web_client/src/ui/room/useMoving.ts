import { createContext, useState } from "react";
import { useText } from "../../i18n/useText";
import { movedIndex, type Direction } from "./arrangement";
import type { DragEvents } from "./dragTiles";
import { feedName } from "./FeedCaption";
import type { StageModel } from "./useStage";

/** Arranging pictures without a pointer: one is picked up, moved by keys or by a click, and put down. */
export interface Moving {
  /** The one that is picked up. */
  id: string | null;
  /** The one a dragged tile is over. */
  drop: string | null;
  /** For everyone, screen readers included. */
  words: string;
  pickUp: (id: string) => void;
  putDown: () => void;
  /** True: the key was for the picked-up picture. */
  key: (key: string) => boolean;
  /** A picture was clicked; true: the picked-up one takes its place. */
  clicked: (id: string) => boolean;
  drag: DragEvents;
}

export const MovingContext = createContext<Moving | null>(null);

type Arranging = Pick<StageModel, "feeds" | "move">;

/** `columns`: of the wall, for the arrow keys. */
export function useMoving({ feeds, move }: Arranging, columns: number): Moving {
  const { text } = useText();
  const words = text.stage.move;
  const [held, setHeld] = useState<{ id: string; from: number } | null>(null);
  const [drop, setDrop] = useState<string | null>(null);
  const [said, say] = useState("");
  const index = (id: string) => feeds.findIndex((feed) => feed.id === id);
  const name = (id: string) => {
    const feed = feeds[index(id)];
    return feed === undefined ? id : feedName(feed, text);
  };
  const moveTo = (id: string, to: number) => {
    move(id, to);
    say(words.at(name(id), to + 1, feeds.length));
  };
  const putDown = () => {
    if (held !== null) say(words.kept(name(held.id), index(held.id) + 1));
    setHeld(null);
  };
  const putBack = () => {
    if (held === null) return;
    move(held.id, held.from);
    say(words.undone(name(held.id)));
    setHeld(null);
  };
  const key = (pressed: string) => {
    if (held === null) return false;
    if (pressed === "Escape") putBack();
    else if (/^Arrow(Left|Right|Up|Down)$/.test(pressed))
      moveTo(held.id, movedIndex(index(held.id), pressed as Direction, columns, feeds.length));
    else return false;
    return true;
  };
  const clicked = (id: string) => {
    if (held === null) return false;
    if (id !== held.id) move(held.id, index(id));
    if (id !== held.id) say(words.kept(name(held.id), index(id) + 1));
    setHeld(null);
    return true;
  };
  const drag: DragEvents = {
    over: (_, target) => {
      setDrop(target);
    },
    dropped: (id, target) => {
      setDrop(null);
      if (target !== null) moveTo(id, index(target));
    },
  };
  const pickUp = (id: string) => {
    setHeld({ id, from: index(id) });
    say(words.begun(name(id), index(id) + 1, feeds.length));
  };
  return { id: held?.id ?? null, drop, words: said, pickUp, putDown, key, clicked, drag };
}
