// Generated from core/messages.py by `npm run types`; do not edit.
// schema sha256: 59f9bfe77042671cb4c57589327834f48734f355b79e0987f80c9439097d8976
// content sha256: dc76959a7cdc88509ec04dd98cb27638b676203e142c30d2d6eed8f9e020f35a

export type ClientMessage =
  | Hello
  | Publish
  | Unpublish
  | Subscribe
  | RestartIce
  | Answer
  | SetMuted
  | SetRecording
  | Chat
  | Admit
  | TurnAway
  | Remove
  | SetPaused
  | SetConsent
  | SetRecord
  | WriteOpinion
  | TakeOver
  | Renew
  | ReportQuality
  | SetView
  | Annotate
  | SyncAnnotations
  | Point
  | MoveMarks
  | Freeze
  | Unfreeze
  | StillMissing
  | SetSignal
  | OfferControl
  | AskControl
  | GrantControl
  | ConfirmControl
  | EndControl
  | Press
  | ControlAnswer
  | ReportHealth
  | Ping;
export type ServerMessage =
  | Welcome
  | Waiting
  | Knock
  | KnockEnded
  | PausedChanged
  | ConsentChanged
  | RecordChanged
  | OpinionWritten
  | ChatAdded
  | Renewed
  | QualityReported
  | ParticipantJoined
  | ParticipantLeft
  | TrackAdded
  | TrackChanged
  | TrackRemoved
  | Published
  | Offer
  | CaptureClock
  | LayerChanged
  | LayersWanted
  | MediaReset
  | RecordingChanged
  | ArchiveHead
  | AnnotationsChanged
  | AnnotationDocument
  | AnnotationsSynced
  | Pointed
  | MarksMoved
  | TakeStill
  | Frozen
  | StillChanged
  | Unfrozen
  | ControlChanged
  | CheckCode
  | ControlPressed
  | SetLogLevel
  | ConsultationEnded
  | Pong
  | Error;

/**
 * A new mark, or the beginning of one.
 */
export interface Add {
  mark: NewMark;
  op?: "add";
  step?: string | null;
}
/**
 * What somebody wants to draw. `mark_id` is theirs, and must be new.
 */
export interface NewMark {
  anchor?: "screen" | "frame" | "tissue";
  captured_us?: number | null;
  colour: string;
  fade_after_ms?: number | null;
  mark_id: string;
  points: number[];
  pressures?: number[];
  scale?: Scale | null;
  text?: string;
  tool: "pen" | "arrow" | "ellipse" | "rectangle" | "text" | "ruler";
  width: number;
}
/**
 * How long things in the picture are: `mm_per_height` for a picture `aspect` times as wide as high.
 */
export interface Scale {
  aspect: number;
  mm_per_height: number;
}
/**
 * Host only: lets somebody in from the lobby, now and whenever they come back.
 */
export interface Admit {
  participant_id: string;
  type: "admit";
}
/**
 * One operation on the drawings of a feed. Answered by `annotations_changed`, to everybody who sees it.
 *
 * `feed`: as `TrackInfo.feed`, with `-screen` behind it for a shared screen. `op_id` is the sender's: sent
 * again it is not done again, and only its sender is answered.
 */
export interface Annotate {
  feed: string;
  op_id: string;
  operation: Add | Extend | Update | RemoveMark | Clear | Undo | Redo | Calibrate;
  type: "annotate";
}
/**
 * A stroke goes on. `start`: how many points it had, so that none is lost or doubled.
 */
export interface Extend {
  mark_id: string;
  op?: "extend";
  points: number[];
  pressures?: number[];
  start: number;
  step?: string | null;
}
/**
 * One's own mark looks different now; what is None stays. `points` replace those there are.
 */
export interface Update {
  colour?: string | null;
  fade_after_ms?: number | null;
  keep?: boolean;
  mark_id: string;
  op?: "update";
  points?: number[] | null;
  pressures?: number[] | null;
  step?: string | null;
  text?: string | null;
  width?: number | null;
}
/**
 * One's own mark, or, for those who may, anybody's.
 */
export interface RemoveMark {
  mark_id: string;
  op?: "remove";
  step?: string | null;
}
/**
 * All of one's own marks on the feed, or, for those who may, everybody's.
 */
export interface Clear {
  op?: "clear";
  step?: string | null;
  whose?: "mine" | "all";
}
/**
 * One's own last step is taken back.
 */
export interface Undo {
  op?: "undo";
}
/**
 * What was taken back last is done again.
 */
export interface Redo {
  op?: "redo";
}
/**
 * How long things on this feed are; None: nobody knows any more. Rulers there are keep what they say.
 */
export interface Calibrate {
  op?: "calibrate";
  scale: Scale | null;
}
/**
 * All drawings of a feed after change number `seq`, in parts: `first` begins, `last` makes it whole.
 */
export interface AnnotationDocument {
  calibration: Calibration | null;
  document_id: string;
  feed: string;
  first: boolean;
  last: boolean;
  marks: Mark[];
  redo: number;
  seq: number;
  type: "annotation_document";
  undo: number;
}
/**
 * The scale that new rulers on a feed are given, and who measured it.
 */
export interface Calibration {
  at_us: number;
  author: string;
  author_name: string;
  scale: Scale;
}
/**
 * One drawing on a feed, as everybody has it.
 *
 * Not validated again beyond its fields: it was checked when it was made, and grows without being copied.
 */
export interface Mark {
  anchor: "screen" | "frame" | "tissue";
  author: string;
  author_name: string;
  captured_us: number | null;
  changed_us: number;
  colour: string;
  fade_after_ms: number | null;
  feed: string;
  mark_id: string;
  points: number[];
  pressures: number[];
  role: "specialist" | "site" | "device" | "recorder" | "auditor" | "admin";
  scale: Scale | null;
  text: string;
  tool: "pen" | "arrow" | "ellipse" | "rectangle" | "text" | "ruler";
  width: number;
}
/**
 * What was done to the drawings of a feed, in order: a change when it happens, those missed on a sync.
 *
 * A change whose number is not the next one was missed, or is known already: see `annotation/replica.py`.
 */
export interface AnnotationsChanged {
  changes: Change[];
  document_id: string;
  feed: string;
  type: "annotations_changed";
}
/**
 * What one operation did, in terms that need no history: any replica applies it in the same way.
 *
 * In this order: `removed` go, `put` are set (new ones last, known ones where they are), `extended` grows;
 * after `calibrate` the calibration is what is here.
 */
export interface Change {
  at_us: number;
  author: string;
  calibration: Calibration | null;
  extended: Extension | null;
  op: "add" | "extend" | "update" | "remove" | "clear" | "undo" | "redo" | "calibrate";
  op_id: string;
  put: Mark[];
  redo: number;
  removed: string[];
  seq: number;
  undo: number;
}
/**
 * Points appended to a mark that had `start` of them.
 */
export interface Extension {
  changed_us: number;
  mark_id: string;
  points: number[];
  pressures: number[];
  start: number;
}
/**
 * `sync_annotations` is answered: there are drawings on these feeds, and on no others.
 */
export interface AnnotationsSynced {
  feeds: string[];
  type: "annotations_synced";
}
/**
 * Answer to the server's offer of that revision. An answer to an older revision is ignored.
 */
export interface Answer {
  revision: number;
  sdp: string;
  type: "answer";
}
/**
 * To keep, about every 10 s: where the archive stands (`head` null: nothing is archived), and the newest
 * checkpoint of the service's log. Whoever has kept it can show later that something is missing.
 */
export interface ArchiveHead {
  at_us: number;
  checkpoint: string;
  head: SignedHead | null;
  type: "archive_head";
}
/**
 * Where a consultation's archive stands, signed by its recorder (docs/archive-format.md, "Heads").
 *
 * After `entries` lines, `head` is the SHA-256 of the manifest's last one. `final`: that line closes it.
 */
export interface SignedHead {
  at_us: number;
  consultation: string;
  entries: number;
  final: boolean;
  head: string;
  kind: "head";
  signature: string;
  signer: string;
}
/**
 * Let me control the console behind that feed. Hosts are asked: `control_changed`.
 */
export interface AskControl {
  feed: string;
  type: "ask_control";
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
 * Text, files uploaded before, or both. Sent again with the same `ref` it is not shown twice.
 */
export interface Chat {
  file_ids?: string[];
  ref: string;
  text?: string;
  type: "chat";
}
/**
 * Somebody, perhaps you, sent a chat message.
 */
export interface ChatAdded {
  entry: ChatEntry;
  type: "chat_added";
}
/**
 * One chat message as everyone sees it. `ref` is the sender's, so that it knows its own again.
 */
export interface ChatEntry {
  at_us: number;
  chat_id: string;
  files: FileInfo[];
  name: string;
  organisation: string;
  person: string;
  ref: string;
  role: "specialist" | "site" | "device" | "recorder" | "auditor" | "admin";
  text: string;
}
/**
 * A file sent in the chat. Fetched from `GET /api/v1/rooms/{room}/files/{file_id}`.
 */
export interface FileInfo {
  file_id: string;
  media_type: string;
  name: string;
  sha256: string;
  size_bytes: number;
}
/**
 * To a box: a host typed this. Answered by `control_answer`.
 */
export interface CheckCode {
  code: string;
  control_id: string;
  type: "check_code";
}
/**
 * Hosts only: the code that the box shows. The box checks it.
 */
export interface ConfirmControl {
  code: string;
  control_id: string;
  type: "confirm_control";
}
/**
 * What the patient agreed to, as the site wrote it down.
 */
export interface Consent {
  consult: boolean;
  record: boolean;
}
export interface ConsentChanged {
  at_us: number;
  by: string;
  consent: Consent;
  type: "consent_changed";
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
  consent: Consent1;
  consultation_id: string;
  header: string;
  opened_at_us: number;
  paused: boolean;
  question: string;
  record: boolean;
  recording: "off" | "starting" | "recording" | "failed";
  recording_problem: "" | "disk_full" | "disk_fails" | "disk_slow" | "setup" | "recorder_left";
  site: string;
  specialty: string;
}
/**
 * What the patient agreed to, as the site wrote it down.
 */
export interface Consent1 {
  consult: boolean;
  record: boolean;
}
/**
 * One control, from asking on. At most one for each feed.
 */
export interface Control {
  control_id: string;
  feed: string;
  minutes: number;
  name: string;
  organisation: string;
  participant_id: string;
  stage: "asked" | "granted" | "active";
  tries_left: number;
  until_us: number;
  ways: ("code" | "touch" | "badge")[];
}
/**
 * Boxes only: somebody confirmed it there; or the code was wrong; or it ended there, and why.
 */
export interface ControlAnswer {
  answer: "confirmed" | "wrong_code" | "ended";
  control_id: string;
  reason?:
    | (
        | "refused"
        | "withdrawn"
        | "not_answered"
        | "not_confirmed"
        | "wrong_code"
        | "expired"
        | "stopped"
        | "stopped_at_box"
        | "controller_left"
        | "silent"
        | "box_left"
        | "paused"
        | "device_failed"
      )
    | null;
  type: "control_answer";
  way?: ("code" | "touch" | "badge") | null;
}
/**
 * Of the console behind a feed you see: asked for, granted, active, or over (`control` is None).
 */
export interface ControlChanged {
  at_us: number;
  by: string;
  control: Control | null;
  control_id: string;
  feed: string;
  reason:
    | (
        | "refused"
        | "withdrawn"
        | "not_answered"
        | "not_confirmed"
        | "wrong_code"
        | "expired"
        | "stopped"
        | "stopped_at_box"
        | "controller_left"
        | "silent"
        | "box_left"
        | "paused"
        | "device_failed"
      )
    | null;
  type: "control_changed";
  way: ("code" | "touch" | "badge") | null;
}
/**
 * To the box, and where it changes anything into the archive: what whoever controls has down now.
 */
export interface ControlPressed {
  at_us: number;
  control_id: string;
  feed: string;
  participant_id: string;
  pressed: Pressed;
  type: "control_pressed";
}
/**
 * All that is down now.
 */
export interface Pressed {
  keys: string[];
  pointer: Pointer | null;
  wheel: number;
}
/**
 * Where the pointer is in the feed's picture: (0, 0) its top left corner, (1, 1) its bottom right one.
 */
export interface Pointer {
  buttons: number;
  x: number;
  y: number;
}
/**
 * The whole box. What cannot be measured is None.
 *
 * `clock_off_ms`: how far its clock is ahead of the server's. `buffer_bytes`: waiting to be delivered later.
 */
export interface DeviceHealth {
  buffer_bytes?: number | null;
  clock_off_ms?: number | null;
  disk_free_bytes?: number | null;
  feeds?: FeedHealth[];
  memory_bytes?: number;
  running_s?: number;
  temperature_c?: number | null;
  version?: string;
}
/**
 * One feed. `frames_per_s`: captured just now. `flowing`: captured and encoded. `sent`: packets go to the
 * server. `uplink_bps`: what the path carries, as far as known.
 */
export interface FeedHealth {
  encoder?: string;
  feed: string;
  flowing: boolean;
  frames_per_s: number;
  height?: number;
  sent: boolean;
  signal: "ok" | "none" | "failing";
  uplink_bps?: number | null;
  width?: number;
}
/**
 * What a client has of one feed's drawings.
 */
export interface DocumentSeen {
  document_id: string;
  feed: string;
  seq: number;
}
/**
 * By whoever asked, or controls, or by a host: refused, taken back, or stopped. Answered as the others
 * are told: `control_changed`.
 */
export interface EndControl {
  control_id: string;
  type: "end_control";
}
/**
 * A message was refused; the connection stays. `about`: the refused message's type, when readable.
 *
 * `ref`: the `op_id` of a refused `annotate`, the `ref` of a refused `freeze`.
 */
export interface Error {
  about: string | null;
  code: string;
  message: string;
  ref: string | null;
  type: "error";
}
/**
 * What a box gets from its device. While it is not `ok`, the feed's picture is a slate that says so.
 */
export interface FeedSignal {
  height: number;
  state: "ok" | "none" | "failing";
  trouble: "" | "no_signal" | "unplugged" | "unstable" | "unsupported" | "protected" | "masks" | "failed";
  width: number;
}
/**
 * The frame of a device's feed that was captured then, for everybody to draw on. Answered by `frozen`.
 *
 * `ref` is the sender's: sent again nothing else is frozen, and only its sender is answered.
 */
export interface Freeze {
  captured_us: number;
  feed: string;
  ref: string;
  type: "freeze";
}
/**
 * Somebody, perhaps you, froze a frame. The picture itself follows: `still_changed`.
 */
export interface Frozen {
  still: Still;
  type: "frozen";
}
/**
 * A frozen frame: that very one, as the capture box has it. Drawings on it are anchored to its frame.
 *
 * Fetched from `GET /api/v1/rooms/{room}/stills/{still_id}` once it is `ready`. `ref` is of who froze it.
 */
export interface Still {
  at_us: number;
  captured_us: number;
  feed: string;
  file: FileInfo | null;
  height: number;
  name: string;
  person: string;
  problem: "" | "gone" | "box_away" | "no_answer" | "paused" | "failed";
  ref: string;
  state: "wanted" | "ready" | "failed";
  still_id: string;
  width: number;
}
/**
 * Hosts only: whoever asked may, for so long, once it is confirmed at the box.
 */
export interface GrantControl {
  control_id: string;
  minutes: number;
  type: "grant_control";
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
 * A TURN server for networks that let nothing else through; its credentials expire.
 */
export interface IceServer {
  credential: string;
  urls: string[];
  username: string;
}
/**
 * To hosts, and to the recorder for the archive: somebody waits in the lobby.
 */
export interface Knock {
  participant: Participant;
  type: "knock";
}
/**
 * Somebody, or a capture box, or the recorder, present in a room.
 */
export interface Participant {
  guest: boolean;
  host: boolean;
  name: string;
  organisation: string;
  participant_id: string;
  person: string;
  role: "specialist" | "site" | "device" | "recorder" | "auditor" | "admin";
  sends_only: boolean;
}
/**
 * As `knock`: who waited was admitted, turned away (`by`: the host, by name), or went.
 */
export interface KnockEnded {
  by: string;
  participant_id: string;
  reason: "admitted" | "turned_away" | "left";
  type: "knock_ended";
}
/**
 * Which encoding of a picture you get from now on.
 */
export interface LayerChanged {
  layer: string | null;
  lowered: ("network" | "source") | null;
  track_id: string;
  type: "layer_changed";
}
/**
 * To a track's publisher: pause the encodings that are not listed (all of them when empty), go on with
 * those that are. Until the first one: all are wanted.
 */
export interface LayersWanted {
  rids: string[];
  track_id: string;
  type: "layers_wanted";
}
/**
 * Where a mark that moves with the tissue is in one frame.
 *
 * `motion`: `[a, b, c, d, e, f]`, as CSS's `matrix()`, from where it was drawn, in normalised coordinates:
 * x' = a·x + c·y + e, y' = b·x + d·y + f.
 */
export interface MarkMotion {
  confidence: number;
  mark_id: string;
  motion: number[];
  state: "held" | "unsure" | "lost";
}
/**
 * Where marks that move with the tissue are in the frame of `captured_us`; for that frame alone.
 *
 * Droppable: of several that wait, only the newest is sent; the recorder gets all. Of a lost mark it is said
 * about twice a second.
 */
export interface MarksMoved {
  captured_us: number;
  feed: string;
  marks: MarkMotion[];
  type: "marks_moved";
}
/**
 * Your media connections are gone (a media server restarted, or is about to): publish and subscribe
 * again, now.
 */
export interface MediaReset {
  reason: "worker_lost" | "transport_lost" | "worker_draining";
  type: "media_reset";
}
/**
 * Boxes only: where the marks that move with the tissue are in a frame of their own feed.
 */
export interface MoveMarks {
  captured_us: number;
  feed: string;
  marks: MarkMotion[];
  type: "move_marks";
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
 * Boxes only: the console behind a feed of their own can be controlled; no ways: not any more.
 */
export interface OfferControl {
  feed: string;
  max_minutes?: number;
  type: "offer_control";
  ways: ("code" | "touch" | "badge")[];
}
/**
 * What a specialist concludes, in writing. `ref` is the writer's, so that it knows its own again.
 */
export interface Opinion {
  at_us: number;
  name: string;
  opinion_id: string;
  organisation: string;
  person: string;
  ref: string;
  text: string;
}
/**
 * A specialist, perhaps you, wrote an opinion.
 */
export interface OpinionWritten {
  opinion: Opinion;
  type: "opinion_written";
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
 * The site paused picture and sound, or goes on. `by`: who did it, by name.
 */
export interface PausedChanged {
  at_us: number;
  by: string;
  paused: boolean;
  type: "paused_changed";
}
/**
 * Answered by `pong` with the same id and the server's clock.
 */
export interface Ping {
  id?: number;
  type: "ping";
}
/**
 * A point of the picture.
 */
export interface Place {
  x: number;
  y: number;
}
/**
 * The pointer is here; None: nowhere. At most 30 a second; of what comes faster some are dropped.
 */
export interface Point {
  at?: Place | null;
  captured_us?: number | null;
  feed: string;
  type: "point";
}
/**
 * Somebody's pointer. Droppable: of several that wait, only the newest is sent.
 */
export interface Pointed {
  at: Place | null;
  captured_us: number | null;
  feed: string;
  name: string;
  participant_id: string;
  person: string;
  type: "pointed";
}
export interface Pong {
  id: number;
  server_time_us: number;
  type: "pong";
}
/**
 * What is down now, by whoever controls; every half second even when nothing changes.
 */
export interface Press {
  control_id: string;
  pressed: Pressed;
  said_us: number;
  type: "press";
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
  control_minutes: number;
  control_ways: ("code" | "touch" | "badge")[];
  feed: string;
  kind: "audio" | "video";
  live: boolean;
  muted: boolean;
  participant_id: string;
  paused: boolean;
  signal: FeedSignal | null;
  source: "device" | "microphone" | "camera" | "screen";
  track_id: string;
}
/**
 * Thresholds of the judgement beside each picture (configuration of the service).
 */
export interface QualityLimits {
  fair_delay_ms: number;
  fair_frame_rate: number;
  good_delay_ms: number;
  good_frame_rate: number;
}
/**
 * Recorder only: a viewer's judgement of a picture changed.
 */
export interface QualityReported {
  at_us: number;
  participant_id: string;
  report: ReportQuality;
  type: "quality_reported";
}
/**
 * The judgement of a feed changed at this viewer. Archived; nobody else is told.
 */
export interface ReportQuality {
  delay_ms: number | null;
  feed: string;
  frame_rate: number | null;
  judgement: "good" | "fair" | "poor";
  loss: number | null;
  type: "report_quality";
}
/**
 * A host began or stopped recording: from now on it shall be recorded, or shall not. `by`: by name.
 */
export interface RecordChanged {
  at_us: number;
  by: string;
  record: boolean;
  type: "record_changed";
}
export interface RecordingChanged {
  problem: "" | "disk_full" | "disk_fails" | "disk_slow" | "setup" | "recorder_left";
  reason: string;
  state: "off" | "starting" | "recording" | "failed";
  type: "recording_changed";
}
/**
 * Host only: somebody has to leave. A guest's invitation ends with it.
 */
export interface Remove {
  participant_id: string;
  type: "remove";
}
/**
 * A fresh room token of the same person for the same room, before the old one expires.
 */
export interface Renew {
  token: string;
  type: "renew";
}
export interface Renewed {
  ice_servers: IceServer[];
  token_expires_at_us: number;
  type: "renewed";
}
/**
 * Boxes only: how the box is. What comes faster than once in two seconds is dropped.
 */
export interface ReportHealth {
  health: DeviceHealth;
  type: "report_health";
}
/**
 * Asks for an offer with fresh ICE credentials on the subscribe connection (the network changed).
 */
export interface RestartIce {
  type: "restart_ice";
}
/**
 * Host only: the patient agrees to be recorded, or no longer does. Withdrawn, recording ends for good.
 */
export interface SetConsent {
  record: boolean;
  type: "set_consent";
}
/**
 * To a box: for so long its log shows this; then what it is configured for. An administrator wants it.
 */
export interface SetLogLevel {
  for_s: number;
  level: "debug" | "info" | "warning" | "error";
  type: "set_log_level";
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
 * Host only: nothing the site's devices and people send reaches anybody, until it goes on.
 */
export interface SetPaused {
  paused: boolean;
  type: "set_paused";
}
/**
 * Host only: recording begins, goes on, or stops for now. Answered by `record_changed`, to everybody.
 *
 * `consent`: the patient, who had not agreed to be recorded, has been asked and does now. What was withdrawn
 * cannot be given again.
 */
export interface SetRecord {
  consent?: boolean;
  record: boolean;
  type: "set_record";
}
/**
 * Recorder only: what it is doing now, shown to everyone in the room.
 */
export interface SetRecording {
  problem?: "" | "disk_full" | "disk_fails" | "disk_slow" | "setup" | "recorder_left";
  reason?: string;
  state: "off" | "starting" | "recording" | "failed";
  type: "set_recording";
}
/**
 * Boxes only: what comes from the device of a feed of their own, when it changes.
 *
 * Whoever sees the feed is told: `track_changed`.
 */
export interface SetSignal {
  feed: string;
  signal: FeedSignal;
  type: "set_signal";
}
/**
 * What is shown from now on: the server chooses the layer of each picture by it.
 *
 * What is not listed is not shown and gets its smallest layer, if any is to spare. Before the first one
 * everything counts as shown at 640 × 360.
 */
export interface SetView {
  type: "set_view";
  views: ShownView[];
}
/**
 * In how many pixels of the screen (not CSS) a picture is shown.
 */
export interface ShownView {
  focus?: boolean;
  height: number;
  track_id: string;
  width: number;
}
/**
 * A frozen frame is there, or cannot be had: then it is no longer frozen.
 */
export interface StillChanged {
  still: Still;
  type: "still_changed";
}
/**
 * Boxes only: the frame that `take_still` asked for cannot be had.
 */
export interface StillMissing {
  problem: "gone" | "paused" | "failed";
  still_id: string;
  type: "still_missing";
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
/**
 * The drawings, please: all of them, or what changed since what this client has (after a resume).
 *
 * Answered by `annotation_document` or `annotations_changed` for each feed with drawings that this client
 * sees, then `annotations_synced`. Changes that happen come by themselves, asked for or not.
 */
export interface SyncAnnotations {
  seen?: DocumentSeen[];
  type: "sync_annotations";
}
/**
 * The same person's other seats in this room end; this one stays.
 */
export interface TakeOver {
  type: "take_over";
}
/**
 * To a box: send that frame of your feed to `POST /api/v1/rooms/{room}/stills/{still_id}`, or say
 * `still_missing`. Asked again after a lost connection.
 */
export interface TakeStill {
  captured_us: number;
  feed: string;
  still_id: string;
  type: "take_still";
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
 * Host only: somebody in the lobby does not come in.
 */
export interface TurnAway {
  participant_id: string;
  type: "turn_away";
}
/**
 * A still is put away, for everybody. By who froze it, or a host. Answered by `unfrozen`.
 */
export interface Unfreeze {
  still_id: string;
  type: "unfreeze";
}
/**
 * A still was put away. `by`: who did it, by name.
 */
export interface Unfrozen {
  at_us: number;
  by: string;
  feed: string;
  still_id: string;
  type: "unfrozen";
}
/**
 * Closes the publish connection.
 */
export interface Unpublish {
  type: "unpublish";
}
/**
 * Answer to a guest's `hello`: a host has to let you in. Until then nothing is seen or heard.
 */
export interface Waiting {
  participant: Participant;
  room: string;
  server_time_us: number;
  site: string;
  type: "waiting";
}
/**
 * Answer to `hello`: who you are here and what there is.
 */
export interface Welcome {
  chat: ChatEntry[];
  consultation: ConsultationInfo;
  controls: Control[];
  host: boolean;
  ice_servers: IceServer[];
  lobby: Participant[];
  opinions: Opinion[];
  participant: Participant;
  participants: Participant[];
  quality_limits: QualityLimits1;
  resume_token: string;
  room: string;
  server_time_us: number;
  stills: Still[];
  token_expires_at_us: number | null;
  tracks: TrackInfo[];
  type: "welcome";
}
/**
 * Thresholds of the judgement beside each picture (configuration of the service).
 */
export interface QualityLimits1 {
  fair_delay_ms: number;
  fair_frame_rate: number;
  good_delay_ms: number;
  good_frame_rate: number;
}
/**
 * Specialists only: the written opinion. Sent again with the same `ref` it is not stored twice.
 */
export interface WriteOpinion {
  ref: string;
  text: string;
  type: "write_opinion";
}
