import { useText } from "../../i18n/useText";
import type { DeviceKind, DeviceList } from "../../media/devices";
import { findDevice } from "../../media/devices";
import { preferences } from "../../media/preferences";
import { useStore } from "../hooks";
import { Choice } from "./Choice";
import { TestSound } from "./TestSound";
import { canChooseSpeaker } from "./tones";

const TEST_ID = { microphone: "mic-select", camera: "camera-select", speaker: "speaker-select" } as const;

/** Which microphone, camera or loudspeaker. */
export function DeviceChoice({ kind, list }: { kind: DeviceKind; list: DeviceList }) {
  const { text } = useText();
  const words = text.audio.settings;
  const choice = useStore(preferences.store)[kind];
  const present = list[kind];
  const found = findDevice(choice, present);
  const hint =
    choice !== null && found === null && present.length > 0
      ? words.absentHint
      : present.length === 0 && kind !== "speaker"
        ? words.namesAfterPermission
        : null;
  const missing = choice !== null && found === null ? [choice] : [];
  const options = [
    { value: "", label: words.systemDefault },
    // Before the first permission nobody knows what is there.
    ...missing.map(({ deviceId, label }) => ({
      value: deviceId,
      label: present.length === 0 ? label : words.absent(label),
    })),
    ...present.map(({ deviceId, label }, n) => ({
      value: deviceId,
      label: label === "" ? words.unnamed(n + 1) : label,
    })),
  ];
  return (
    <Choice
      label={words[kind]}
      testId={TEST_ID[kind]}
      value={found?.deviceId ?? choice?.deviceId ?? ""}
      options={options}
      {...(hint === null ? {} : { hint })}
      onChange={(deviceId) => {
        const device = [...present, ...(choice === null ? [] : [choice])].find(
          (one) => one.deviceId === deviceId,
        );
        preferences.update({ [kind]: device ?? null });
      }}
    />
  );
}

interface SpeakerSelection {
  selectAudioOutput?: () => Promise<MediaDeviceInfo>;
}

/** The loudspeaker, where the browser lets it be chosen, and the test sound. */
export function SpeakerChoice({ list }: { list: DeviceList }) {
  const { text } = useText();
  const words = text.audio.settings;
  const media = (navigator.mediaDevices as MediaDevices | undefined) ?? {};
  const { selectAudioOutput } = media as SpeakerSelection;
  const choosable = canChooseSpeaker();
  const choose = async () => {
    try {
      const device = await selectAudioOutput?.call(media);
      if (device) preferences.update({ speaker: { deviceId: device.deviceId, label: device.label } });
    } catch {
      // Closed without a choice: the loudspeaker stays.
    }
  };
  return (
    <div className="speaker-choice">
      {choosable && (list.speaker.length > 0 || selectAudioOutput === undefined) && (
        <DeviceChoice kind="speaker" list={list} />
      )}
      {choosable && list.speaker.length === 0 && selectAudioOutput !== undefined && (
        <button type="button" onClick={() => void choose()}>
          {words.chooseSpeaker}
        </button>
      )}
      {!choosable && <p className="muted">{words.speakerBySystem}</p>}
      <TestSound />
    </div>
  );
}

/** How the microphone is treated. */
export function ProfileChoice() {
  const { text } = useText();
  const words = text.audio.settings;
  const { profile } = useStore(preferences.store);
  return (
    <Choice
      label={words.profile}
      testId="audio-profile"
      value={profile}
      hint={words.profileHints[profile]}
      options={(["speakerphone", "headset", "music"] as const).map((value) => ({
        value,
        label: words.profiles[value],
      }))}
      onChange={(value) => {
        preferences.update({ profile: value });
      }}
    />
  );
}

/** Press to switch, or hold to talk. */
export function TalkChoice() {
  const { text } = useText();
  const words = text.audio.settings;
  const { talkMode } = useStore(preferences.store);
  return (
    <Choice
      label={words.talk}
      value={talkMode}
      hint={words.talkHint}
      options={(["toggle", "hold"] as const).map((value) => ({ value, label: words.talkModes[value] }))}
      onChange={(value) => {
        preferences.update({ talkMode: value });
      }}
    />
  );
}

/** What a shared screen shows. */
export function ScreenChoice() {
  const { text } = useText();
  const words = text.audio.settings;
  const { screenContent } = useStore(preferences.store);
  return (
    <Choice
      label={words.screen}
      value={screenContent}
      options={(["detail", "motion"] as const).map((value) => ({
        value,
        label: words.screenContents[value],
      }))}
      onChange={(value) => {
        preferences.update({ screenContent: value });
      }}
    />
  );
}
