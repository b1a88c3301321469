import { useEffect, useEffectEvent } from "react";
import { TalkKey } from "./talkKey";

export interface RoomKeyActions {
  isTalking: () => boolean;
  talk: (on: boolean) => void;
  camera: () => void;
  focusNumber: (index: number) => void;
  wall: () => void;
  fullScreen: () => void;
  help: () => void;
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

const isControl = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest("button, a") !== null;

/**
 * The room's keys. Space belongs to talking, but for somebody who moves with Tab it presses the focused button, as
 * they expect; a button that merely was clicked with the mouse does not take it.
 */
export function useRoomKeys(actions: RoomKeyActions): void {
  const act = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return false;
    const { key, code } = event;
    if (/^[1-9]$/.test(key)) actions.focusNumber(Number(key) - 1);
    else if (key === "?") actions.help();
    else if (code === "KeyF" && event.shiftKey) actions.fullScreen();
    else if (event.shiftKey) return false;
    else if (code === "KeyV") actions.camera();
    else if (code === "KeyW") actions.wall();
    else return false;
    return true;
  });
  const talking = useEffectEvent(() => actions.isTalking());
  const talk = useEffectEvent((on: boolean) => {
    actions.talk(on);
  });

  useEffect(() => {
    const talkKey = new TalkKey();
    let byTab = false;
    const down = (event: KeyboardEvent) => {
      if (event.key === "Tab") byTab = true;
      if (isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
      if (event.code === "Space") {
        if (byTab && isControl(event.target)) return;
        event.preventDefault();
        if (!event.repeat && talkKey.pressed(talking(), event.timeStamp)) talk(true);
      } else if (act(event)) event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      if (event.code !== "Space" || !talkKey.isDown) return;
      event.preventDefault();
      if (talkKey.released(event.timeStamp)) talk(false);
    };
    const blur = (event: FocusEvent) => {
      if (talkKey.isDown && talkKey.released(event.timeStamp)) talk(false);
    };
    const pointer = () => {
      byTab = false;
    };
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", blur);
    window.addEventListener("pointerdown", pointer);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", blur);
      window.removeEventListener("pointerdown", pointer);
    };
  }, []);
}
