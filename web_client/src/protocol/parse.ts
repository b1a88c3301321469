import type { ServerMessage } from "./messages";

/** Every message type this client understands; the compiler insists that the list is complete. */
const KNOWN: Record<ServerMessage["type"], true> = {
  welcome: true,
  participant_joined: true,
  participant_left: true,
  track_added: true,
  track_changed: true,
  track_removed: true,
  published: true,
  offer: true,
  capture_clock: true,
  layer_changed: true,
  layers_wanted: true,
  media_reset: true,
  recording_changed: true,
  archive_head: true,
  consultation_ended: true,
  waiting: true,
  knock: true,
  knock_ended: true,
  paused_changed: true,
  consent_changed: true,
  record_changed: true,
  opinion_written: true,
  chat_added: true,
  renewed: true,
  quality_reported: true,
  annotations_changed: true,
  annotation_document: true,
  annotations_synced: true,
  pointed: true,
  marks_moved: true,
  take_still: true,
  frozen: true,
  still_changed: true,
  unfrozen: true,
  control_changed: true,
  check_code: true,
  control_pressed: true,
  set_log_level: true,
  pong: true,
  error: true,
};

/** JSON text → message; null when it is not one of ours (a newer server may say more than we know). */
export function parseServerMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return null;
  const { type } = value;
  return typeof type === "string" && Object.hasOwn(KNOWN, type) ? (value as ServerMessage) : null;
}
