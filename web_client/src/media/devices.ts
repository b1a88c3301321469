import { preferences, type ChosenDevice, type DevicePreferences } from "./preferences";
import type { OwnSource } from "./publisher";
import { audioConstraints, cameraConstraints, SCREEN_CONSTRAINTS } from "./constraints";

/** Why a microphone or camera cannot be used; each has its own words in the dictionary. */
export type DeviceProblem =
  | "blocked"
  | "none-found"
  | "in-use"
  | "insecure-page"
  | "unsuitable"
  | "unplugged"
  | "refused-by-server"
  | "unknown";

const BY_ERROR_NAME: Record<string, DeviceProblem> = {
  NotAllowedError: "blocked",
  SecurityError: "blocked",
  NotFoundError: "none-found",
  NotReadableError: "in-use",
  AbortError: "in-use",
  OverconstrainedError: "unsuitable",
};

/** W3C mediacapture-streams §10.2: what getUserMedia rejects with. */
export function deviceProblem(error: unknown): DeviceProblem {
  const name = error instanceof Object && "name" in error ? String(error.name) : "";
  return BY_ERROR_NAME[name] ?? "unknown";
}

export type DeviceKind = "microphone" | "camera" | "speaker";

/** What is plugged in. Before the first permission browsers tell neither ids nor names, and the lists are empty. */
export type DeviceList = Readonly<Record<DeviceKind, readonly ChosenDevice[]>>;

export const NO_DEVICES: DeviceList = { microphone: [], camera: [], speaker: [] };

const KINDS: Record<string, DeviceKind> = {
  audioinput: "microphone",
  videoinput: "camera",
  audiooutput: "speaker",
};
/** Chromium's names for "whatever the system uses": here that is no choice at all. */
const SYSTEM_CHOICES: ReadonlySet<string> = new Set(["", "default", "communications"]);

type Listed = Pick<MediaDeviceInfo, "kind" | "deviceId" | "label">;

/** The devices a person can choose among. Pure. */
export function sortDevices(all: readonly Listed[]): DeviceList {
  const of = (kind: DeviceKind) =>
    all
      .filter((device) => KINDS[device.kind] === kind && !SYSTEM_CHOICES.has(device.deviceId))
      .map(({ deviceId, label }) => ({ deviceId, label }));
  return { microphone: of("microphone"), camera: of("camera"), speaker: of("speaker") };
}

/** The chosen device among those present: by id, else by name; null when it is not there. Pure. */
export function findDevice(
  choice: ChosenDevice | null,
  present: readonly ChosenDevice[],
): ChosenDevice | null {
  if (choice === null) return null;
  const byId = present.find(({ deviceId }) => deviceId === choice.deviceId);
  return byId ?? present.find(({ label }) => label !== "" && label === choice.label) ?? null;
}

/** Never throws. */
export async function listDevices(): Promise<DeviceList> {
  if (!canCapture()) return NO_DEVICES;
  try {
    return sortDevices(await navigator.mediaDevices.enumerateDevices());
  } catch {
    return NO_DEVICES;
  }
}

/** Devices came or went. Returns how to stop listening. */
export function watchDevices(changed: () => void): () => void {
  if (!canCapture()) return () => undefined;
  navigator.mediaDevices.addEventListener("devicechange", changed);
  return () => {
    navigator.mediaDevices.removeEventListener("devicechange", changed);
  };
}

/** Browsers hide mediaDevices on pages that came over plain HTTP from another machine. */
export function canCapture(): boolean {
  return globalThis.isSecureContext && typeof navigator.mediaDevices === "object";
}

/** Phones cannot share their screen. */
export function canShareScreen(): boolean {
  return canCapture() && "getDisplayMedia" in navigator.mediaDevices;
}

export type Captured =
  /** `instead`: the chosen device is not there; this one is what the system uses. */
  | { track: MediaStreamTrack; instead?: boolean }
  | { problem: DeviceProblem }
  /** The person decided against it: nothing to complain about. */
  | { cancelled: true };

/** Ask for a microphone, camera or screen, as preferred. Never throws. */
export async function capture(
  source: OwnSource,
  wishes: DevicePreferences = preferences.get(),
): Promise<Captured> {
  if (!canCapture()) return { problem: "insecure-page" };
  try {
    return await (source === "screen" ? captureScreen(wishes) : captureDevice(source, wishes));
  } catch (error) {
    const problem = deviceProblem(error);
    return source === "screen" && problem === "blocked" ? { cancelled: true } : { problem };
  }
}

async function captureScreen({ screenContent }: DevicePreferences): Promise<Captured> {
  const stream = await navigator.mediaDevices.getDisplayMedia(SCREEN_CONSTRAINTS);
  const track = stream.getVideoTracks()[0];
  if (track === undefined) return { problem: "none-found" };
  track.contentHint = screenContent;
  return { track };
}

const NOT_THERE: ReadonlySet<DeviceProblem> = new Set(["unsuitable", "none-found"]);

async function captureDevice(source: "microphone" | "camera", wishes: DevicePreferences): Promise<Captured> {
  const choice = wishes[source];
  if (choice === null) return openDevice(source, wishes, null);
  const present = findDevice(choice, (await listDevices())[source]);
  try {
    return await openDevice(source, wishes, present ?? choice);
  } catch (error) {
    if (!NOT_THERE.has(deviceProblem(error))) throw error;
    return { ...(await openDevice(source, wishes, null)), instead: true };
  }
}

async function openDevice(
  source: "microphone" | "camera",
  { profile }: DevicePreferences,
  device: ChosenDevice | null,
): Promise<Captured> {
  const constraints: MediaStreamConstraints =
    source === "microphone"
      ? { audio: audioConstraints(profile, device) }
      : { video: cameraConstraints(device) };
  const stream = await navigator.mediaDevices.getUserMedia(constraints);
  const track = stream.getTracks()[0];
  if (track === undefined) return { problem: "none-found" };
  // Faces and rooms move: without this a browser may prefer sharpness to motion.
  if (track.kind === "video") track.contentHint = "motion";
  return { track };
}
