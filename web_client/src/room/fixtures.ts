import type { Participant, ServerMessage, TrackInfo } from "../protocol/messages";

/** Messages and people for tests. */

export const person = (id: string, over: Partial<Participant> = {}): Participant => ({
  participant_id: id,
  name: id.toUpperCase(),
  role: "specialist",
  organisation: "",
  ...over,
});

export const track = (id: string, over: Partial<TrackInfo> = {}): TrackInfo => ({
  track_id: id,
  participant_id: "box",
  feed: id,
  kind: "video",
  source: "device",
  codec: "H264",
  live: true,
  muted: false,
  ...over,
});

export const welcome = (
  over: Partial<Extract<ServerMessage, { type: "welcome" }>> = {},
): Extract<ServerMessage, { type: "welcome" }> => ({
  type: "welcome",
  participant: person("me"),
  resume_token: "resume-1",
  room: "demo",
  consultation: { consultation_id: "c_1", header: "张*三", opened_at_us: 0, recording: "off" },
  participants: [person("me"), person("box", { role: "device" })],
  tracks: [track("ultrasound")],
  server_time_us: 1_000_000,
  ...over,
});

export const offer = (
  over: Partial<Extract<ServerMessage, { type: "offer" }>> = {},
): Extract<ServerMessage, { type: "offer" }> => ({
  type: "offer",
  transport_id: "t_1",
  revision: 1,
  fresh: true,
  sdp: "offer-1",
  tracks: [],
  unsupported: [],
  ...over,
});
