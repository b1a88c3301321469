import { Store } from "../room/store";

/** How the microphone is treated; a person names it by where they sit. */
export type AudioProfile = "speakerphone" | "headset" | "music";
/** `toggle`: a press switches the microphone, a hold opens it for as long. `hold`: only open while held. */
export type TalkMode = "toggle" | "hold";
/** What a shared screen mostly shows: text and still pictures, or moving pictures. */
export type ScreenContent = "detail" | "motion";

/** A device somebody chose. The label finds it again where a browser renews its ids. */
export interface ChosenDevice {
  deviceId: string;
  label: string;
}

export interface DevicePreferences {
  /** null: whatever the system uses. */
  microphone: ChosenDevice | null;
  camera: ChosenDevice | null;
  speaker: ChosenDevice | null;
  profile: AudioProfile;
  talkMode: TalkMode;
  screenContent: ScreenContent;
  /** Wanted when entering a room. */
  microphoneOn: boolean;
  cameraOn: boolean;
}

export const DEFAULT_PREFERENCES: DevicePreferences = {
  microphone: null,
  camera: null,
  speaker: null,
  profile: "speakerphone",
  talkMode: "toggle",
  screenContent: "detail",
  microphoneOn: false,
  cameraOn: false,
};

type Storage = Pick<globalThis.Storage, "getItem" | "setItem">;

const KEY = "teleconsult.devices";
const MAX_TEXT = 512;

/** Device choices, remembered in this browser. What is stored may be anything: what makes no sense is left out. */
export class Preferences {
  readonly store: Store<DevicePreferences>;

  /** `storage`: null where the browser keeps nothing; then choices last as long as the page. */
  constructor(private readonly storage: Storage | null) {
    this.store = new Store(readPreferences(stored(storage)));
  }

  get(): DevicePreferences {
    return this.store.get();
  }

  update(change: Partial<DevicePreferences>): void {
    this.store.set({ ...this.store.get(), ...change });
    try {
      this.storage?.setItem(KEY, JSON.stringify(this.store.get()));
    } catch {
      // A full or forbidden storage costs the memory of the choice, not the choice.
    }
  }
}

function stored(storage: Storage | null): unknown {
  try {
    return JSON.parse(storage?.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** Preferences out of anything. Pure. */
export function readPreferences(value: unknown): DevicePreferences {
  if (typeof value !== "object" || value === null) return DEFAULT_PREFERENCES;
  const from = value as Record<string, unknown>;
  const pick = <Option extends string>(key: string, options: readonly Option[], otherwise: Option): Option =>
    options.find((option) => option === from[key]) ?? otherwise;
  return {
    microphone: readDevice(from["microphone"]),
    camera: readDevice(from["camera"]),
    speaker: readDevice(from["speaker"]),
    profile: pick("profile", ["speakerphone", "headset", "music"], "speakerphone"),
    talkMode: pick("talkMode", ["toggle", "hold"], "toggle"),
    screenContent: pick("screenContent", ["detail", "motion"], "detail"),
    microphoneOn: from["microphoneOn"] === true,
    cameraOn: from["cameraOn"] === true,
  };
}

function readDevice(value: unknown): ChosenDevice | null {
  if (typeof value !== "object" || value === null) return null;
  const { deviceId, label } = value as Record<string, unknown>;
  if (typeof deviceId !== "string" || typeof label !== "string") return null;
  if (deviceId === "" || deviceId.length > MAX_TEXT || label.length > MAX_TEXT) return null;
  return { deviceId, label };
}

function browserStorage(): Storage | null {
  try {
    return globalThis.window.localStorage;
  } catch {
    return null;
  }
}

/** This browser's. */
export const preferences = new Preferences(browserStorage());
