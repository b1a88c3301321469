import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";
import { preferences } from "../../media/preferences";
import type { RoomClient } from "../../room/client";
import type { DeviceState } from "../../room/state";
import { MicrophoneIcon } from "../icons";
import { TalkKey } from "./talkKey";

/** The microphone under a finger: tapped it switches, held it opens for as long, like the space bar. */
export function TalkButton({ client, device }: { client: RoomClient; device: DeviceState }) {
  const { text } = useText();
  const { talk } = text;
  const press = useRef(new TalkKey());
  const on = device.phase === "on";
  const state =
    device.phase === "asking" ? talk.microphoneAsking : on ? talk.microphoneOn : talk.microphoneOff;
  const release = (nowMs: number) => {
    if (press.current.released(nowMs, holdsToTalk())) client.own.set("microphone", false);
  };
  useEffect(() => {
    // The finger's going up is not told to a page that was hidden or left meanwhile.
    const hidden = (event: Event) => {
      if (event.type === "visibilitychange" && document.visibilityState === "visible") return;
      if (press.current.isDown && press.current.released(event.timeStamp, holdsToTalk())) {
        client.own.set("microphone", false);
      }
    };
    document.addEventListener("visibilitychange", hidden);
    window.addEventListener("pagehide", hidden);
    return () => {
      document.removeEventListener("visibilitychange", hidden);
      window.removeEventListener("pagehide", hidden);
    };
  }, [client]);
  return (
    <button
      type="button"
      data-testid="mic"
      data-on={on}
      data-phase={device.phase}
      title={on ? talk.turnMicrophoneOff : talk.turnMicrophoneOn}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        if (press.current.pressed(on, event.timeStamp)) client.own.set("microphone", true);
      }}
      onPointerUp={(event) => {
        release(event.timeStamp);
      }}
      onPointerCancel={(event) => {
        release(event.timeStamp);
      }}
      onContextMenu={(event) => {
        // A finger that rests on it talks; it does not want a menu.
        event.preventDefault();
      }}
      onClick={(event) => {
        // By keyboard or by a screen reader: there was no pointer.
        if (event.detail === 0) client.own.toggle("microphone");
      }}
    >
      <MicrophoneIcon off={!on} />
      <span>{state}</span>
    </button>
  );
}

function holdsToTalk(): boolean {
  return preferences.get().talkMode === "hold";
}
