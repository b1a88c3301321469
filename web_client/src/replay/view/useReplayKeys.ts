import { useEffect } from "react";
import { RATES, type ReplayPlayer } from "../player/replayPlayer";

const JUMP_US = 5_000_000;

/** The replay's keys, wherever the focus is, but for what the focused element needs itself. */
export function useReplayKeys(player: ReplayPlayer, onDrawings: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
      if (takesKey(event.target, event.key)) return;
      if (event.key === "d") onDrawings();
      else if (!act(player, event.key)) return;
      event.preventDefault();
    };
    window.addEventListener("keydown", press);
    return () => {
      window.removeEventListener("keydown", press);
    };
  }, [player, onDrawings]);
}

function act(player: ReplayPlayer, key: string): boolean {
  switch (key) {
    case " ":
      player.toggle();
      return true;
    case ",":
      player.step(-1);
      return true;
    case ".":
      player.step(1);
      return true;
    case "ArrowLeft":
      player.seek(player.positionUs - JUMP_US);
      return true;
    case "ArrowRight":
      player.seek(player.positionUs + JUMP_US);
      return true;
    case "<":
      changeRate(player, -1);
      return true;
    case ">":
      changeRate(player, 1);
      return true;
    default:
      return false;
  }
}

function changeRate(player: ReplayPlayer, by: 1 | -1): void {
  const next = RATES[RATES.indexOf(player.store.get().rate) + by];
  if (next !== undefined) player.setRate(next);
}

/** A field is typed into; a button or link is pressed with the space bar. */
function takesKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input, select, textarea")) return true;
  return key === " " && target.closest("button, a, summary") !== null;
}
