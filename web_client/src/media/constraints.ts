import type { AudioProfile, ChosenDevice } from "./preferences";

/** Not in TypeScript's library yet (W3C mediacapture-extensions). */
interface AudioConstraints extends MediaTrackConstraints {
  voiceIsolation?: boolean;
}

interface Processing {
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
  voiceIsolation: boolean;
}

/**
 * `speakerphone`: open loudspeakers and several people around one microphone. Isolating one voice would silence the
 * others, so that is off. `headset`: nothing of the loudspeaker reaches the microphone, so that echo cancellation
 * would only make talking at the same time worse. `music`: nothing may touch the sound; a stethoscope's heart
 * sounds are noise to every speech filter.
 */
const PROCESSING: Record<AudioProfile, Processing> = {
  speakerphone: {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    voiceIsolation: false,
  },
  headset: { echoCancellation: false, noiseSuppression: true, autoGainControl: true, voiceIsolation: true },
  music: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, voiceIsolation: false },
};

/** Speech is clear at this rate; sounds that are no speech need more. */
export const MICROPHONE_MAX_BITRATE_BPS: Record<AudioProfile, number> = {
  speakerphone: 48_000,
  headset: 48_000,
  music: 128_000,
};

/** All wishes but for the device, no demands: one that cannot do something is still better than none. */
export function audioConstraints(profile: AudioProfile, device: ChosenDevice | null): AudioConstraints {
  return { ...PROCESSING[profile], channelCount: 1, ...chosen(device) };
}

export function cameraConstraints(device: ChosenDevice | null): MediaTrackConstraints {
  return {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30, max: 30 },
    ...chosen(device),
  };
}

function chosen(device: ChosenDevice | null): MediaTrackConstraints {
  return device === null ? {} : { deviceId: { exact: device.deviceId } };
}

/** Up to 1080p; 30 frames/s, so that a clip in the viewer moves. */
export const SCREEN_CONSTRAINTS: DisplayMediaStreamOptions = {
  video: { width: { max: 1920 }, height: { max: 1080 }, frameRate: { ideal: 30, max: 30 } },
  audio: false,
};

/** True when a track already is as the profile wants it, as far as the browser tells. */
export function isProcessedAs(
  profile: AudioProfile,
  settings: { echoCancellation?: boolean | string; noiseSuppression?: boolean; autoGainControl?: boolean },
): boolean {
  const { echoCancellation, noiseSuppression, autoGainControl } = PROCESSING[profile];
  const wanted = { echoCancellation, noiseSuppression, autoGainControl };
  return Object.entries(wanted).every(([name, on]) => {
    const is = settings[name as keyof typeof settings];
    return is === undefined || Boolean(is) === on;
  });
}
