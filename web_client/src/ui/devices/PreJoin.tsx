import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";
import { preferences } from "../../media/preferences";
import type { DeviceState } from "../../room/state";
import { useStore } from "../hooks";
import { CameraIcon, MicrophoneIcon } from "../icons";
import { DeviceChoice, ProfileChoice, SpeakerChoice, TalkChoice } from "./DeviceChoices";
import { Meter } from "./Meter";
import { Picture } from "./Picture";
import { useDeviceList, usePreview, type Preview } from "./useDevices";

type Source = "microphone" | "camera";

interface Props {
  /** What is entered, in the words everyone may see. */
  title: string;
  /** What was chosen is in the preferences then, and every device is let go. */
  onEnter: () => void;
  onBack: () => void;
}

/** The one page before every room: look, listen, choose, confirm once. Watching only is always possible. */
export function PreJoin({ title, onEnter, onBack }: Props) {
  const { text } = useText();
  const words = text.audio.prejoin;
  const preview = usePreview(true);
  const { microphone, camera } = preview.devices;
  const list = useDeviceList(`${microphone.phase} ${camera.phase}`);
  const enter = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    enter.current?.focus();
  }, []);
  return (
    <form
      className="prejoin"
      data-testid="prejoin"
      aria-labelledby="prejoin-title"
      onSubmit={(event) => {
        event.preventDefault();
        preferences.update({ microphoneOn: microphone.phase === "on", cameraOn: camera.phase === "on" });
        onEnter();
      }}
    >
      <h1 id="prejoin-title">{title}</h1>
      <div className="prejoin-columns">
        <Picture camera={camera} />
        <Switches preview={preview} />
        <fieldset className="device-choices">
          <legend>{words.devices}</legend>
          <DeviceChoice kind="microphone" list={list} />
          <Meter track={preview.microphone} />
          <DeviceChoice kind="camera" list={list} />
          <SpeakerChoice list={list} />
          <ProfileChoice />
          <TalkChoice />
        </fieldset>
        <div className="prejoin-enter">
          <button ref={enter} type="submit" className="primary" data-testid="enter">
            {words.enter}
          </button>
          <EnterAs microphone={microphone} camera={camera} />
          <button type="button" className="quiet" data-testid="prejoin-back" onClick={onBack}>
            {words.back}
          </button>
        </div>
      </div>
    </form>
  );
}

/** What entering now means, in words. */
function EnterAs({ microphone, camera }: Record<Source, DeviceState>) {
  const { text } = useText();
  const words = text.audio.prejoin;
  const { talkMode } = useStore(preferences.store);
  const [speaks, shows] = [microphone.phase === "on", camera.phase === "on"];
  const voice = !speaks
    ? words.withoutMicrophone
    : talkMode === "hold"
      ? words.withMicrophoneHeld
      : words.withMicrophone;
  return (
    <p className="muted" role="status">
      {speaks || shows ? `${voice} · ${shows ? words.withCamera : words.withoutCamera}` : words.watchOnly}
    </p>
  );
}

/** Two switches, and what to do when one of them does not work. */
function Switches({ preview }: { preview: Preview }) {
  const { text } = useText();
  const { microphone, camera } = preview.devices;
  const failed = [microphone, camera].some(({ phase }) => phase === "failed");
  const untouched = [microphone, camera].every(({ phase }) => phase === "off");
  return (
    <div className="prejoin-switches">
      <div className="switches">
        <Switch source="microphone" device={microphone} onSet={preview.set} />
        <Switch source="camera" device={camera} onSet={preview.set} />
      </div>
      <Problem source="microphone" device={microphone} />
      <Problem source="camera" device={camera} />
      {failed && <p>{text.audio.prejoin.watchAnyway}</p>}
      {untouched && <p className="muted">{text.audio.prejoin.nothingYet}</p>}
    </div>
  );
}

function Switch({ source, device, onSet }: { source: Source; device: DeviceState; onSet: Preview["set"] }) {
  const { text } = useText();
  const words = text.audio.prejoin.switches[source];
  const on = device.phase === "on";
  const Icon = source === "microphone" ? MicrophoneIcon : CameraIcon;
  return (
    <button
      type="button"
      data-testid={source === "microphone" ? "prejoin-mic" : "prejoin-camera"}
      data-phase={device.phase}
      aria-pressed={on}
      onClick={() => {
        onSet(source, !on);
      }}
    >
      <Icon off={!on} />
      {device.phase === "asking" ? (
        <span>{text.audio.asking[source]}</span>
      ) : (
        <>
          <span>{words.name}</span>
          {/* For eyes; others are told that the button is pressed. */}
          <span aria-hidden="true">{on ? words.on : words.off}</span>
        </>
      )}
    </button>
  );
}

function Problem({ source, device }: { source: Source; device: DeviceState }) {
  const { text } = useText();
  return (
    <div role="alert">
      {device.phase === "failed" && (
        <p className="problem" data-testid={`${source}-problem`} data-problem={device.problem}>
          {text.problems[source][device.problem]}
        </p>
      )}
    </div>
  );
}
