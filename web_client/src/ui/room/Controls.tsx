import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { OwnSource } from "../../media/publisher";
import type { DeviceState } from "../../room/state";
import {
  CameraIcon,
  FocusViewIcon,
  KeysIcon,
  LeaveIcon,
  MicrophoneIcon,
  PeopleIcon,
  WallIcon,
} from "../icons";

export type View = "focus" | "wall";

interface Props {
  microphone: DeviceState;
  camera: DeviceState;
  view: View;
  peopleShown: boolean;
  speakers: readonly string[];
  onToggle: (source: OwnSource) => void;
  onView: (view: View) => void;
  onPeople: () => void;
  onKeys: () => void;
  onLeave: () => void;
}

/** Everything one hand needs, along the bottom edge. */
export function Controls(props: Props) {
  const { text } = useText();
  const { view, speakers } = props;
  return (
    <nav className="controls" aria-label={text.room.controls}>
      <DeviceButton source="microphone" device={props.microphone} onToggle={props.onToggle} />
      <DeviceButton source="camera" device={props.camera} onToggle={props.onToggle} />
      <span className="speakers" aria-live="off">
        {speakers.length > 0 && text.talk.nowSpeaking(speakers.join(", "))}
      </span>
      <button
        type="button"
        data-testid="view"
        onClick={() => {
          props.onView(view === "focus" ? "wall" : "focus");
        }}
      >
        {view === "focus" ? <WallIcon /> : <FocusViewIcon />}
        <span>{view === "focus" ? text.room.viewWall : text.room.viewFocus}</span>
      </button>
      <button
        type="button"
        data-testid="show-people"
        aria-pressed={props.peopleShown}
        onClick={props.onPeople}
      >
        <PeopleIcon />
        <span>{text.room.showPeople}</span>
      </button>
      <button type="button" className="keys-button" data-testid="keys" onClick={props.onKeys}>
        <KeysIcon />
        <span>{text.room.keys}</span>
      </button>
      <button type="button" className="leave" data-testid="leave" onClick={props.onLeave}>
        <LeaveIcon />
        <span>{text.room.leave}</span>
      </button>
    </nav>
  );
}

interface DeviceWords {
  state: string;
  action: string;
}

function deviceWords(source: OwnSource, device: DeviceState, { talk }: Dictionary): DeviceWords {
  const asking = device.phase === "asking";
  const on = device.phase === "on";
  if (source === "microphone") {
    const state = asking ? talk.microphoneAsking : on ? talk.microphoneOn : talk.microphoneOff;
    return { state, action: on ? talk.turnMicrophoneOff : talk.turnMicrophoneOn };
  }
  const state = asking ? talk.cameraAsking : on ? talk.cameraOn : talk.cameraOff;
  return { state, action: on ? talk.turnCameraOff : talk.turnCameraOn };
}

function DeviceButton({
  source,
  device,
  onToggle,
}: {
  source: OwnSource;
  device: DeviceState;
  onToggle: (source: OwnSource) => void;
}) {
  const { text } = useText();
  const on = device.phase === "on";
  const words = deviceWords(source, device, text);
  return (
    <button
      type="button"
      data-testid={source === "microphone" ? "mic" : "camera"}
      data-on={on}
      data-phase={device.phase}
      title={words.action}
      onClick={() => {
        onToggle(source);
      }}
    >
      {source === "microphone" ? <MicrophoneIcon off={!on} /> : <CameraIcon off={!on} />}
      <span>{words.state}</span>
    </button>
  );
}
