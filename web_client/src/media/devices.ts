import type { OwnSource } from "./publisher";

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

const CONSTRAINTS: Record<OwnSource, MediaStreamConstraints> = {
  microphone: { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } },
  camera: { video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } } },
};

export type Captured = { track: MediaStreamTrack } | { problem: DeviceProblem };

/** Ask for a microphone or camera. Never throws. */
export async function capture(source: OwnSource): Promise<Captured> {
  // Browsers hide mediaDevices on pages that came over plain HTTP from another machine.
  if (!window.isSecureContext) return { problem: "insecure-page" };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS[source]);
    const track = stream.getTracks()[0];
    return track === undefined ? { problem: "none-found" } : { track };
  } catch (error) {
    return { problem: deviceProblem(error) };
  }
}
