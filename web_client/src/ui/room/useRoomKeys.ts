import { useEffect, useEffectEvent } from "react";
import { TalkKey } from "./talkKey";

export interface RoomKeyActions {
  isTalking: () => boolean;
  talk: (on: boolean) => void;
  /** Only a held key opens the microphone. */
  holdsToTalk: () => boolean;
  camera: () => void;
  screen: () => void;
  focusNumber: (index: number) => void;
  wall: () => void;
  fullScreen: () => void;
  freeze: () => void;
  control: () => void;
  chat: () => void;
  people: () => void;
  opinion: () => void;
  question: () => void;
  pause: () => void;
  help: () => void;
}

type Press = Pick<KeyboardEvent, "key" | "code" | "shiftKey">;

const LETTERS: Record<
  string,
  "camera" | "screen" | "wall" | "chat" | "people" | "opinion" | "question" | "freeze" | "control"
> = {
  KeyF: "freeze",
  KeyK: "control",
  KeyV: "camera",
  KeyS: "screen",
  KeyW: "wall",
  KeyC: "chat",
  KeyG: "people",
  KeyO: "opinion",
  KeyQ: "question",
};

/** What a key does (`+ − 0` and the arrows belong to the picture itself); false when it does nothing here. Letters go by their place, whatever is written on them. Pure. */
export function pressKey({ key, code, shiftKey }: Press, actions: RoomKeyActions): boolean {
  if (/^[1-9]$/.test(key)) actions.focusNumber(Number(key) - 1);
  else if (key === "?") actions.help();
  else if (shiftKey && code === "KeyF") actions.fullScreen();
  else if (shiftKey && code === "KeyP") actions.pause();
  else if (!shiftKey && LETTERS[code] !== undefined) actions[LETTERS[code]]();
  else return false;
  return true;
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

const isControl = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest("button, a, summary") !== null;

/**
 * The room's keys. Space belongs to talking, but for somebody who moves with Tab it presses the focused button, as
 * they expect; a button that merely was clicked with the mouse does not take it.
 */
export function useRoomKeys(actions: RoomKeyActions): void {
  const act = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return false;
    return pressKey(event, actions);
  });
  const talking = useEffectEvent(() => actions.isTalking());
  const holdsToTalk = useEffectEvent(() => actions.holdsToTalk());
  const talk = useEffectEvent((on: boolean) => {
    actions.talk(on);
  });

  useEffect(() => {
    const talkKey = new TalkKey();
    let byTab = false;
    const down = (event: KeyboardEvent) => {
      if (event.key === "Tab") byTab = true;
      if (event.defaultPrevented) return;
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
      if (talkKey.released(event.timeStamp, holdsToTalk())) talk(false);
    };
    const blur = (event: FocusEvent) => {
      if (talkKey.isDown && talkKey.released(event.timeStamp, holdsToTalk())) talk(false);
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
