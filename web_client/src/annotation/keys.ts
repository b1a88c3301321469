import { useEffect, useEffectEvent } from "react";
import { keepsKeys } from "../ui/room/zoomGestures";
import type { ChosenTool } from "./toolbox";

/** By their place, whatever is written on them. */
export const TOOL_KEYS: readonly (readonly [ChosenTool, string])[] = [
  ["pointer", "L"],
  ["pen", "P"],
  ["arrow", "A"],
  ["ellipse", "E"],
  ["rectangle", "B"],
  ["text", "T"],
  ["ruler", "R"],
];

export interface DrawingKeyActions {
  tool: (tool: ChosenTool) => void;
  undo: () => void;
  redo: () => void;
  fades: () => void;
  /** The next thing that marks can stay with. */
  anchor: () => void;
  clearMine: () => void;
  /** False: there was no tool to put away. */
  putAway: () => boolean;
}

type Press = Pick<KeyboardEvent, "key" | "code" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">;

/** What a key does; false when it does nothing here. Pure. */
export function pressDrawingKey(press: Press, actions: DrawingKeyActions): boolean {
  const { code, shiftKey } = press;
  if (press.altKey) return false;
  if (code === "KeyZ") {
    if (shiftKey) actions.redo();
    else actions.undo();
    return true;
  }
  if (press.ctrlKey || press.metaKey) return false;
  if (press.key === "Escape") return actions.putAway();
  if (shiftKey) return false;
  const tool = TOOL_KEYS.find(([, letter]) => code === `Key${letter}`)?.[0];
  if (tool !== undefined) actions.tool(tool);
  else if (code === "KeyD") actions.fades();
  else if (code === "KeyN") actions.anchor();
  else if (press.key === "Delete") actions.clearMine();
  else return false;
  return true;
}

export function useDrawingKeys(page: () => Window | null, actions: DrawingKeyActions): void {
  const press = useEffectEvent((event: KeyboardEvent) => pressDrawingKey(event, actions));
  const view = useEffectEvent(page);
  useEffect(() => {
    const target = view() ?? window;
    const down = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.repeat || keepsKeys(event.target)) return;
      if (target.document.querySelector("dialog[open]") !== null) return;
      if (press(event)) event.preventDefault();
    };
    target.addEventListener("keydown", down);
    return () => {
      target.removeEventListener("keydown", down);
    };
  }, []);
}
