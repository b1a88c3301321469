import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { CameraIcon, LeaveIcon, MicrophoneIcon } from "../icons";
import { EndIcon } from "../room/panelIcons";
import { PauseButton } from "../room/PauseBanner";

interface Props {
  client: RoomClient;
  state: RoomState;
  onEnd: () => void;
  onLeave: () => void;
}

/** Few and large. One touch switches the microphone and it stays so: nobody holds a button with a probe in the hand. */
export function SiteControls({ client, state, onEnd, onLeave }: Props) {
  const { text } = useText();
  return (
    <nav className="controls onsite-controls" aria-label={text.room.controls}>
      <PauseButton client={client} state={state} />
      <MicrophoneButton client={client} state={state} />
      <CameraButton client={client} state={state} />
      {state.host && (
        <button type="button" className="end" data-testid="end" aria-haspopup="dialog" onClick={onEnd}>
          <EndIcon />
          <span>{text.panels.end.end}</span>
        </button>
      )}
      <button type="button" className="leave" data-testid="leave" onClick={onLeave}>
        <LeaveIcon />
        <span>{text.room.leave}</span>
      </button>
    </nav>
  );
}

type DeviceProps = Pick<Props, "client" | "state">;

function MicrophoneButton({ client, state }: DeviceProps) {
  const words = useText().text.stage.onsite;
  const { phase } = state.devices.microphone;
  const on = phase === "on";
  return (
    <button
      type="button"
      data-testid="mic"
      data-on={on}
      data-phase={phase}
      title={on ? words.turnMicOff : words.turnMicOn}
      onClick={() => {
        client.own.toggle("microphone");
      }}
    >
      <MicrophoneIcon off={!on} />
      <span>
        {phase === "asking" ? words.micAsking : on ? words.micOn : words.micOff}
        {!on && phase !== "asking" && <small>{words.micOffWarning}</small>}
      </span>
    </button>
  );
}

function CameraButton({ client, state }: DeviceProps) {
  const { text } = useText();
  const { phase } = state.devices.camera;
  const on = phase === "on";
  return (
    <button
      type="button"
      data-testid="camera"
      data-on={on}
      data-phase={phase}
      title={on ? text.talk.turnCameraOff : text.talk.turnCameraOn}
      onClick={() => {
        client.own.toggle("camera");
      }}
    >
      <CameraIcon off={!on} />
      <span>
        {phase === "asking"
          ? text.talk.cameraAsking
          : on
            ? text.stage.onsite.cameraOn
            : text.stage.onsite.cameraOff}
      </span>
    </button>
  );
}
