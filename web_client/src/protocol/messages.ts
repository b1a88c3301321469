// Generated from core/messages.py by `npm run types`; do not edit.
// schema sha256: 93376dc6ed8be05a56c774405d006adbe2a40159f42c85d2258b3ca2293fcf45
// content sha256: 70756ff156796384dc2141f0881cd60b67a22b6a379db66f1aefa52a262411fe

export type ClientMessage =
  Hello | Publish | Unpublish | Subscribe | RestartIce | Answer | SetMuted | SetRecording | Ping;
export type ServerMessage =
  | Welcome
  | ParticipantJoined
  | ParticipantLeft
  | TrackAdded
  | TrackChanged
  | TrackRemoved
  | Published
  | Offer
  | CaptureClock
  | MediaReset
  | RecordingChanged
  | ConsultationEnded
  | Pong
  | Error;

/**
 * Answer to the server's offer of that revision. An answer to an older revision is ignored.
 */
export interface Answer {
  revision: number;
  sdp: string;
  type: "answer";
}
/**
 * Maps this consumer's RTP timestamps to capture time:
 * `capture_time_us = base + (rtp − rtp_timestamp mod 2³²) · 10⁶ / clock_rate`.
 */
export interface CaptureClock {
  capture_time_us: number;
  clock_rate: number;
  mid: string;
  rtp_timestamp: number;
  track_id: string;
  type: "capture_clock";
  uncertainty_us: number;
}
/**
 * The site ended it; the connection closes after this message.
 */
export interface ConsultationEnded {
  type: "consultation_ended";
}
/**
 * What everyone in the room may know. `header` is the masked identity, never a full name.
 */
export interface ConsultationInfo {
  consultation_id: string;
  header: string;
  opened_at_us: number;
  recording: "off" | "starting" | "recording" | "failed";
}
/**
 * A message was refused; the connection stays. `about`: the refused message's type, when readable.
 */
export interface Error {
  about: string | null;
  code: string;
  message: string;
  type: "error";
}
/**
 * First message. The token is given here or as `Sec-WebSocket-Protocol: teleconsult.v1, token.<JWT>`.
 */
export interface Hello {
  resume_token?: string | null;
  token?: string | null;
  type: "hello";
}
/**
 * Your media connections are gone (a media server restarted): publish and subscribe again, now.
 */
export interface MediaReset {
  reason: "worker_lost" | "transport_lost";
  type: "media_reset";
}
/**
 * The subscribe connection's offer. `fresh` means: build a new RTCPeerConnection, the old one is gone.
 */
export interface Offer {
  fresh: boolean;
  revision: number;
  sdp: string;
  tracks: OfferedTrack[];
  transport_id: string;
  type: "offer";
  unsupported: UnsupportedTrack[];
}
/**
 * Which track an m-line of the subscribe offer carries.
 */
export interface OfferedTrack {
  mid: string;
  track_id: string;
}
/**
 * A track left out of the offer because this client said it cannot decode its codec.
 */
export interface UnsupportedTrack {
  codec: "H264" | "VP8" | "VP9" | "AV1" | "opus";
  track_id: string;
}
/**
 * Somebody, or a capture box, or the recorder, present in a room.
 */
export interface Participant {
  name: string;
  organisation: string;
  participant_id: string;
  role: "specialist" | "site" | "device" | "recorder" | "auditor" | "admin";
}
export interface ParticipantJoined {
  participant: Participant;
  type: "participant_joined";
}
export interface ParticipantLeft {
  participant_id: string;
  reason: "left" | "disconnected" | "removed";
  type: "participant_left";
}
/**
 * Answered by `pong` with the same id and the server's clock.
 */
export interface Ping {
  id?: number;
  type: "ping";
}
export interface Pong {
  id: number;
  server_time_us: number;
  type: "pong";
}
/**
 * Offer of the publish connection: the first, a changed one, or an ICE restart (same `transport_id`).
 */
export interface Publish {
  offer: string;
  sources: PublishedSource[];
  transport_id?: string | null;
  type: "publish";
}
/**
 * Which source an m-line of the publish offer carries.
 */
export interface PublishedSource {
  mid: string;
  source: "device" | "microphone" | "camera" | "screen";
}
/**
 * Answer to `publish`.
 */
export interface Published {
  answer: string;
  tracks: TrackInfo[];
  transport_id: string;
  type: "published";
}
/**
 * One published audio or video track. `feed` groups the tracks of one picture or one person.
 */
export interface TrackInfo {
  codec: "H264" | "VP8" | "VP9" | "AV1" | "opus";
  feed: string;
  kind: "audio" | "video";
  live: boolean;
  muted: boolean;
  participant_id: string;
  source: "device" | "microphone" | "camera" | "screen";
  track_id: string;
}
export interface RecordingChanged {
  reason: string;
  state: "off" | "starting" | "recording" | "failed";
  type: "recording_changed";
}
/**
 * Asks for an offer with fresh ICE credentials on the subscribe connection (the network changed).
 */
export interface RestartIce {
  type: "restart_ice";
}
/**
 * Own track muted or not; shown to everyone. The sender stops sending by itself.
 */
export interface SetMuted {
  muted: boolean;
  track_id: string;
  type: "set_muted";
}
/**
 * Recorder only: what it is doing now, shown to everyone in the room.
 */
export interface SetRecording {
  reason?: string;
  state: "off" | "starting" | "recording" | "failed";
  type: "set_recording";
}
/**
 * Asks for a subscribe connection; also asks for a fresh one if there is one already.
 *
 * `codecs`: what this client can decode; a track it cannot decode is reported in `offer.unsupported`.
 */
export interface Subscribe {
  codecs?: ("H264" | "VP8" | "VP9" | "AV1" | "opus")[];
  type: "subscribe";
}
export interface TrackAdded {
  track: TrackInfo;
  type: "track_added";
}
export interface TrackChanged {
  track: TrackInfo;
  type: "track_changed";
}
export interface TrackRemoved {
  track_id: string;
  type: "track_removed";
}
/**
 * Closes the publish connection.
 */
export interface Unpublish {
  type: "unpublish";
}
/**
 * Answer to `hello`: who you are here and what there is.
 */
export interface Welcome {
  consultation: ConsultationInfo;
  participant: Participant;
  participants: Participant[];
  resume_token: string;
  room: string;
  server_time_us: number;
  tracks: TrackInfo[];
  type: "welcome";
}
