import type { CSSProperties } from "react";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import { canShareScreen } from "../../media/devices";
import type { OwnSource } from "../../media/publisher";
import type { RoomClient } from "../../room/client";
import { peopleOf } from "../../room/feeds";
import type { DeviceState, RoomState } from "../../room/state";
import { CameraIcon, FocusViewIcon, KeysIcon, LeaveIcon, PeopleIcon, WallIcon } from "../icons";
import { ChatButton } from "./chat/ChatButton";
import { OpinionButton } from "./opinion/OpinionButton";
import { PauseButton } from "./PauseBanner";
import { EndIcon, InviteIcon, ScreenIcon } from "./panelIcons";
import { TalkButton } from "./TalkButton";
import { panelButtonId, type Panels } from "./usePanels";
import { useSpeaking } from "./useReadings";
import type { View } from "./useStage";

interface Props {
  client: RoomClient;
  state: RoomState;
  view: View;
  panels: Panels;
  onView: (view: View) => void;
  onInvite: () => void;
  onEnd: () => void;
  onKeys: () => void;
  onLeave: () => void;
}

/** How many fit beside each other on the narrowest telephone. */
const ROW_MAX = 7;

/** Columns that share `count` buttons evenly among as few rows as possible. Pure. */
export function evenColumns(count: number): number {
  return Math.ceil(count / Math.ceil(count / ROW_MAX));
}

/** Everything one hand needs, along the bottom edge. */
export function Controls(props: Props) {
  const { text } = useText();
  const { client, state, view, panels } = props;
  const shares = canShareScreen();
  const buttons = 7 + (shares ? 1 : 0) + (state.host ? 3 : 0);
  const other: View = view === "focus" ? "wall" : "focus";
  return (
    <nav
      className="controls"
      aria-label={text.room.controls}
      style={{ "--columns": evenColumns(buttons) } as CSSProperties}
    >
      <TalkButton client={client} device={state.devices.microphone} />
      <DeviceButton source="camera" client={client} state={state} icon={CameraIcon} />
      {shares && <DeviceButton source="screen" client={client} state={state} icon={ScreenIcon} />}
      <Speakers client={client} state={state} />
      <button
        type="button"
        data-testid="view"
        onClick={() => {
          props.onView(other);
        }}
      >
        {view === "focus" ? <WallIcon /> : <FocusViewIcon />}
        <span>{view === "focus" ? text.room.viewWall : text.room.viewFocus}</span>
      </button>
      <ChatButton
        client={client}
        state={state}
        shown={panels.chat}
        onToggle={() => {
          panels.toggle("chat");
        }}
      />
      <button
        id={panelButtonId("people")}
        type="button"
        data-testid="show-people"
        aria-pressed={panels.people}
        onClick={() => {
          panels.toggle("people");
        }}
      >
        <PeopleIcon />
        <span>{text.room.showPeople}</span>
      </button>
      <OpinionButton
        state={state}
        shown={panels.opinion}
        onToggle={() => {
          panels.toggle("opinion");
        }}
      />
      <HostControls {...props} />
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

function HostControls({ client, state, onInvite, onEnd }: Props) {
  const { text } = useText();
  if (!state.host) return null;
  return (
    <>
      <button type="button" data-testid="invite" aria-haspopup="dialog" onClick={onInvite}>
        <InviteIcon />
        <span>{text.panels.invite.open}</span>
      </button>
      <PauseButton client={client} state={state} />
      <button type="button" className="end" data-testid="end" aria-haspopup="dialog" onClick={onEnd}>
        <EndIcon />
        <span>{text.panels.end.end}</span>
      </button>
    </>
  );
}

function Speakers({ client, state }: Pick<Props, "client" | "state">) {
  const { text } = useText();
  const speaking = useSpeaking(client.monitor);
  const names = speakerNames(state, speaking);
  return (
    <span className="speakers" aria-live="off">
      {names.length > 0 && text.talk.nowSpeaking(names.join(", "))}
    </span>
  );
}

/** Each person once, however many windows they speak from. Pure. */
export function speakerNames(
  state: Pick<RoomState, "tracks" | "participants" | "me">,
  speaking: ReadonlySet<string>,
): readonly string[] {
  const heard = peopleOf(state).filter(
    ({ audioTrackId }) => audioTrackId !== null && speaking.has(audioTrackId),
  );
  return [...new Set(heard.map(({ participant }) => participant.name))];
}

interface DeviceWords {
  state: string;
  action: string;
}

type Switched = Exclude<OwnSource, "microphone">;

function deviceWords(source: Switched, device: DeviceState, { talk, panels }: Dictionary): DeviceWords {
  const asking = device.phase === "asking";
  const on = device.phase === "on";
  if (source === "camera") {
    const state = asking ? talk.cameraAsking : on ? talk.cameraOn : talk.cameraOff;
    return { state, action: on ? talk.turnCameraOff : talk.turnCameraOn };
  }
  const { screen } = panels;
  const state = asking ? screen.asking : on ? screen.stop : screen.share;
  return { state, action: on ? screen.stopLong : screen.shareLong };
}

interface DeviceButtonProps extends Pick<Props, "client" | "state"> {
  source: Switched;
  icon: (props: { off: boolean }) => React.ReactNode;
}

function DeviceButton({ source, client, state, icon: Drawn }: DeviceButtonProps) {
  const { text } = useText();
  const device = state.devices[source];
  const on = device.phase === "on";
  const words = deviceWords(source, device, text);
  return (
    <button
      type="button"
      data-testid={source}
      data-on={on}
      data-phase={device.phase}
      title={words.action}
      onClick={() => {
        client.own.toggle(source);
      }}
    >
      <Drawn off={!on} />
      <span>{words.state}</span>
    </button>
  );
}
