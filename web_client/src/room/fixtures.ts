import type { ChatEntry, Participant, ServerMessage, TrackInfo } from "../protocol/messages";

/** Messages and people for tests. */

export const person = (id: string, over: Partial<Participant> = {}): Participant => ({
  participant_id: id,
  name: id.toUpperCase(),
  role: "specialist",
  organisation: "",
  person: "",
  guest: false,
  sends_only: false,
  host: false,
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
  paused: false,
  signal: null,
  control_ways: [],
  control_minutes: 15,
  ...over,
});

export const entry = (id: string, over: Partial<ChatEntry> = {}): ChatEntry => ({
  chat_id: id,
  ref: id,
  person: "li",
  name: "Li",
  role: "specialist",
  organisation: "",
  text: id,
  files: [],
  at_us: 0,
  ...over,
});

export const welcome = (
  over: Partial<Extract<ServerMessage, { type: "welcome" }>> = {},
): Extract<ServerMessage, { type: "welcome" }> => ({
  type: "welcome",
  participant: person("me"),
  resume_token: "resume-1",
  room: "demo",
  consultation: {
    consultation_id: "c_1",
    header: "张*三",
    specialty: "",
    question: "",
    site: "",
    opened_at_us: 0,
    record: true,
    recording: "off",
    recording_problem: "",
    consent: { consult: true, record: true },
    paused: false,
  },
  participants: [person("me"), person("box", { role: "device" })],
  tracks: [track("ultrasound")],
  server_time_us: 1_000_000,
  host: false,
  chat: [],
  opinions: [],
  stills: [],
  controls: [],
  lobby: [],
  quality_limits: { good_delay_ms: 200, fair_delay_ms: 300, good_frame_rate: 24, fair_frame_rate: 15 },
  token_expires_at_us: null,
  ice_servers: [],
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
