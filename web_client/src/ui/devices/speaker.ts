import { preferences } from "../../media/preferences";
import { Store } from "../../room/store";
import { canChooseSpeaker } from "./tones";

/** The chosen loudspeaker could not be used; said until it is dismissed. */
export const speakerGone = new Store(false);

/** Play through the chosen loudspeaker, or through the system's when that one is gone. Never throws. */
export async function playThrough(element: HTMLMediaElement, deviceId: string): Promise<void> {
  if (!canChooseSpeaker() || element.sinkId === deviceId) return;
  try {
    await element.setSinkId(deviceId);
  } catch {
    speakerGone.set(true);
    if (preferences.get().speaker?.deviceId === deviceId) preferences.update({ speaker: null });
  }
}
