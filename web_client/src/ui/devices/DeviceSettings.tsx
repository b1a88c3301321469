import { useText } from "../../i18n/useText";
import type { OwnMedia } from "../../room/ownMedia";
import { DeviceChoice, ProfileChoice, ScreenChoice, SpeakerChoice, TalkChoice } from "./DeviceChoices";
import { Meter } from "./Meter";
import { Picture } from "./Picture";
import { useDeviceList, useOwnMicrophone, usePreview } from "./useDevices";

/** Devices and sound. In a room (`own`) changes apply at once to what is sent; elsewhere they can be tried out. */
export function DeviceSettings({ own }: { own: OwnMedia | null }) {
  return (
    <div className="device-settings" data-testid="device-settings">
      {own === null ? <TriedOut /> : <InRoom own={own} />}
    </div>
  );
}

function InRoom({ own }: { own: OwnMedia }) {
  const microphone = useOwnMicrophone(own);
  const list = useDeviceList(microphone);
  return (
    <div className="device-choices">
      <DeviceChoice kind="microphone" list={list} />
      <Meter track={microphone} />
      <DeviceChoice kind="camera" list={list} />
      <SpeakerChoice list={list} />
      <ProfileChoice />
      <TalkChoice />
      <ScreenChoice />
    </div>
  );
}

function TriedOut() {
  const { text } = useText();
  const words = text.audio.settings;
  const preview = usePreview(false);
  const { microphone, camera } = preview.devices;
  const list = useDeviceList(`${microphone.phase} ${camera.phase}`);
  const check = (source: "microphone" | "camera") => {
    const device = preview.devices[source];
    const on = device.phase === "on";
    return (
      <div className="device-check">
        <button
          type="button"
          data-testid={`check-${source}`}
          data-phase={device.phase}
          onClick={() => {
            preview.set(source, !on);
          }}
        >
          {device.phase === "asking"
            ? text.audio.asking[source]
            : (on ? words.endCheck : words.check)[source]}
        </button>
        <div role="alert">
          {device.phase === "failed" && (
            <p className="problem" data-testid={`${source}-problem`} data-problem={device.problem}>
              {text.problems[source][device.problem]}
            </p>
          )}
        </div>
      </div>
    );
  };
  return (
    <div className="device-choices">
      <DeviceChoice kind="microphone" list={list} />
      {check("microphone")}
      {preview.microphone && <Meter track={preview.microphone} />}
      <DeviceChoice kind="camera" list={list} />
      {check("camera")}
      {camera.phase === "on" && <Picture camera={camera} />}
      <SpeakerChoice list={list} />
      <ProfileChoice />
      <TalkChoice />
      <ScreenChoice />
    </div>
  );
}
