import { useCallback, useMemo, useState } from "react";
import { feedsOf, focusedFeed, type Feed } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { arranged, moved } from "./arrangement";
import { ZoomShelf } from "./pictureZoom";
import { RememberedArrangement } from "./remembered";
import { useWallWindow, type WallWindowModel } from "./useWallWindow";

export type View = "focus" | "wall";

/** What the stage shows and how. The keys, the controls and the pictures share one. */
export interface StageModel {
  /** All pictures in the order this person arranged them. */
  feeds: readonly Feed[];
  /** The picture shown large; while the wall is shown, the one that would be. */
  focus: Feed | null;
  view: View;
  /** Show a picture large. */
  choose: (id: string) => void;
  setView: (view: View) => void;
  /** Give a picture another place, from 0. Remembered. */
  move: (id: string, to: number) => void;
  zooms: ZoomShelf;
  /** The wall in a window of its own, for a second screen. */
  wallWindow: WallWindowModel;
}

interface Order {
  person: string;
  remembered: RememberedArrangement;
  places: readonly string[];
}

function readOrder(person: string): Order {
  const remembered = new RememberedArrangement(window.localStorage, person);
  return { person, remembered, places: remembered.read() };
}

/** The pictures in this person's own order. */
function useArrangement({ tracks, participants, departed, me }: RoomState) {
  const person = me?.person ?? "";
  const [order, setOrder] = useState(() => readOrder(person));
  if (order.person !== person) setOrder(readOrder(person));
  const feeds = useMemo(
    () => arranged(feedsOf({ tracks, participants, departed, me }), order.places),
    [tracks, participants, departed, me, order.places],
  );
  const move = (id: string, to: number) => {
    const feed = feeds.find((one) => one.id === id);
    if (feed === undefined) return;
    const places = [...new Set(feeds.map((one) => one.place))];
    const next = order.remembered.write(moved(places, feed.place, to));
    setOrder({ ...order, places: next });
  };
  return { feeds, move };
}

/** Which picture is large: the chosen one; until somebody chooses, the first device picture, and it stays that. */
export function useStage(state: RoomState): StageModel {
  const { feeds, move } = useArrangement(state);
  const [chosen, setChosen] = useState<string | null>(null);
  const [view, setView] = useState<View>("focus");
  const [zooms] = useState(() => new ZoomShelf());
  const wallWindow = useWallWindow(() => {
    setView("focus");
  });
  const first = feeds.find((feed) => feed.kind === "device");
  if (chosen === null && first !== undefined) setChosen(first.id);
  const choose = useCallback((id: string) => {
    setChosen(id);
    setView("focus");
  }, []);
  return { feeds, focus: focusedFeed(feeds, chosen), choose, view, setView, move, zooms, wallWindow };
}
