import type { OwnSource } from "../media/publisher";
import type { RemoteTrack } from "../media/subscriber";
import type { ChatEntry, Opinion, Participant, ServerMessage, TrackInfo } from "../protocol/messages";
import type { LinkState, LostReason } from "./connection";
import type { Departed, DeviceState, Ending, RoomState } from "./state";

/** How long a device that left stays named on the wall. */
export const DEPARTED_SHOWN_MS = 60_000;

export type RoomEvent =
  | { type: "message"; message: ServerMessage; nowMs: number }
  | { type: "link"; state: LinkState; reason: LostReason | null; nowMs: number }
  | { type: "online"; online: boolean }
  | { type: "pause-asked"; paused: boolean | null }
  | { type: "record-asked"; record: boolean | null; problem?: string }
  | { type: "seats-kept"; seats: readonly string[] }
  | { type: "hear" }
  | { type: "ending"; ending: Ending }
  | { type: "remote"; tracks: ReadonlyMap<string, RemoteTrack> }
  | { type: "receiving"; state: RTCPeerConnectionState }
  | { type: "sending"; state: RTCPeerConnectionState | null }
  | { type: "device"; source: OwnSource; device: DeviceState }
  | { type: "sound"; blocked: boolean }
  | { type: "tick"; nowMs: number };

/** What the room looks like after an event. Pure. */
export function reduce(state: RoomState, event: RoomEvent): RoomState {
  switch (event.type) {
    case "message":
      return applyMessage(state, event.message, event.nowMs);
    case "link":
      return linkChanged(state, event);
    case "online":
      return { ...state, online: event.online };
    case "pause-asked":
      return { ...state, pauseAsked: event.paused };
    case "record-asked":
      return { ...state, recordAsked: event.record, recordProblem: event.problem ?? "" };
    case "seats-kept":
      return { ...state, keptSeats: new Set([...state.keptSeats, ...event.seats]) };
    case "hear":
      return { ...state, hearAttempt: state.hearAttempt + 1 };
    case "ending":
      return { ...state, ending: event.ending };
    case "remote":
      return { ...state, remote: new Map(event.tracks) };
    case "receiving":
      return { ...state, receiving: event.state };
    case "sending":
      return { ...state, sending: event.state };
    case "device":
      return { ...state, devices: { ...state.devices, [event.source]: event.device } };
    case "sound":
      return { ...state, soundBlocked: event.blocked };
    case "tick":
      return forgetDeparted(state, event.nowMs);
  }
}

function applyMessage(state: RoomState, message: ServerMessage, nowMs: number): RoomState {
  switch (message.type) {
    case "welcome":
      return {
        ...withTracks(state, message.tracks, nowMs),
        room: message.room,
        me: message.participant,
        consultation: message.consultation,
        participants: message.participants,
        waiting: false,
        host: message.host,
        lobby: message.lobby,
        chat: mergeChat(state.chat, message.chat),
        pausedBy: message.consultation.paused ? state.pausedBy : "",
        pausedSinceUs: message.consultation.paused ? state.pausedSinceUs : null,
        limits: message.quality_limits,
        ...recordConfirmed(state, message.consultation.record),
        opinions: mergeOpinions(state.opinions, message.opinions),
      };
    case "waiting":
      return {
        ...state,
        room: message.room,
        me: message.participant,
        waiting: true,
        site: message.site,
      };
    case "knock":
      return { ...state, lobby: upsert(state.lobby, message.participant) };
    case "knock_ended":
      return {
        ...state,
        lobby: state.lobby.filter((person) => person.participant_id !== message.participant_id),
      };
    case "chat_added":
      return { ...state, chat: mergeChat(state.chat, [message.entry]), latestChat: message.entry };
    case "paused_changed":
      return {
        ...state,
        consultation: state.consultation && { ...state.consultation, paused: message.paused },
        pausedBy: message.by,
        pausedSinceUs: message.paused ? message.at_us : null,
        pauseAsked: null,
      };
    case "consent_changed":
      return {
        ...state,
        consultation: state.consultation && { ...state.consultation, consent: message.consent },
      };
    case "record_changed":
      return {
        ...state,
        consultation: state.consultation && { ...state.consultation, record: message.record },
        recordBy: message.by,
        recordAsked: null,
        recordProblem: "",
      };
    case "opinion_written":
      return { ...state, opinions: mergeOpinions(state.opinions, [message.opinion]) };
    case "participant_joined":
      return { ...state, participants: upsert(state.participants, message.participant) };
    case "participant_left":
      return participantLeft(state, message.participant_id, message.reason);
    case "track_added":
    case "track_changed":
      return withTracks(state, replaceTrack(state.tracks, message.track), nowMs);
    case "track_removed":
      return withTracks(
        state,
        state.tracks.filter((track) => track.track_id !== message.track_id),
        nowMs,
      );
    case "layer_changed": {
      const { track_id, layer, lowered } = message;
      return { ...state, layers: new Map(state.layers).set(track_id, { layer, lowered }) };
    }
    case "offer":
      return {
        ...state,
        // Nothing has come by a connection that is about to be made.
        layers: message.fresh ? new Map() : state.layers,
        unsupported: new Map(message.unsupported.map(({ track_id, codec }) => [track_id, codec])),
      };
    case "recording_changed":
      return {
        ...state,
        consultation: state.consultation && {
          ...state.consultation,
          recording: message.state,
          recording_problem: message.problem,
        },
      };
    case "consultation_ended":
      return { ...state, ending: { kind: "consultation-ended" } };
    case "published":
    case "capture_clock":
    case "layers_wanted":
    case "set_log_level":
    case "media_reset":
    case "annotations_changed":
    case "annotation_document":
    case "annotations_synced":
    case "pointed":
    case "marks_moved":
    case "take_still":
    case "frozen":
    case "still_changed":
    case "unfrozen":
    case "control_changed":
    case "check_code":
    case "control_pressed":
    case "pong":
    case "archive_head":
    case "renewed":
    case "quality_reported":
      return state;
    case "error":
      return failed(state, message.about ?? "", message.code);
  }
}

function failed(state: RoomState, about: string, code: string): RoomState {
  if (about === "set_paused") return { ...state, pauseAsked: null };
  if (about === "set_record") return { ...state, recordAsked: null, recordProblem: code };
  return state;
}

/** Somebody who was away hears of it from the welcome; who it was, nobody repeats. */
function recordConfirmed(state: RoomState, record: boolean): Pick<RoomState, "recordBy" | "recordAsked"> {
  const same = state.consultation?.record === record;
  return { recordBy: same ? state.recordBy : "", recordAsked: null };
}

/** Each once, in the server's order. */
function mergeOpinions(known: readonly Opinion[], came: readonly Opinion[]): readonly Opinion[] {
  const merged = new Map([...known, ...came].map((opinion) => [opinion.opinion_id, opinion]));
  return [...merged.values()].sort((a, b) => a.at_us - b.at_us);
}

function participantLeft(state: RoomState, participantId: string, reason: string): RoomState {
  const removed = reason === "removed" && participantId === state.me?.participant_id;
  return {
    ...state,
    ending: removed ? { kind: "removed" } : state.ending,
    participants: state.participants.filter((person) => person.participant_id !== participantId),
  };
}

/** How many chat messages a page keeps; the server's archive has them all. */
export const CHAT_KEPT_MESSAGES = 1_000;

/** What is known and what came, each once, in the server's order. A later copy replaces an earlier one. */
function mergeChat(known: readonly ChatEntry[], came: readonly ChatEntry[]): readonly ChatEntry[] {
  const merged = new Map([...known, ...came].map((entry) => [entry.chat_id, entry]));
  return [...merged.values()].sort((a, b) => a.at_us - b.at_us).slice(-CHAT_KEPT_MESSAGES);
}

function linkChanged(
  state: RoomState,
  { state: link, reason, nowMs }: Extract<RoomEvent, { type: "link" }>,
): RoomState {
  if (link !== "reconnecting") return { ...state, link, away: null };
  const away = { sinceMs: state.away?.sinceMs ?? nowMs, reason: reason ?? "network" };
  return { ...state, link, away };
}

function upsert(participants: readonly Participant[], participant: Participant): readonly Participant[] {
  const others = participants.filter((one) => one.participant_id !== participant.participant_id);
  return [...others, participant];
}

function replaceTrack(tracks: readonly TrackInfo[], track: TrackInfo): readonly TrackInfo[] {
  const known = tracks.some((one) => one.track_id === track.track_id);
  return known ? tracks.map((one) => (one.track_id === track.track_id ? track : one)) : [...tracks, track];
}

const isPicture = (track: TrackInfo) => track.kind === "video" && track.source === "device";

/** The new list of tracks; device pictures that are gone with it are remembered as departed. */
function withTracks(state: RoomState, tracks: readonly TrackInfo[], nowMs: number): RoomState {
  const present = new Set(tracks.filter(isPicture).map((track) => track.feed));
  const before = new Map(state.tracks.filter(isPicture).map((track) => [track.feed, track.participant_id]));
  const gone: Departed[] = [...before]
    .filter(([feed]) => !present.has(feed))
    .map(([feed, participantId]) => ({ feed, participantId, sinceMs: nowMs }));
  const departed = [...state.departed.filter(({ feed }) => !present.has(feed)), ...gone];
  return { ...state, tracks, departed, layers: only(state.layers, tracks) };
}

function only(layers: RoomState["layers"], tracks: readonly TrackInfo[]): RoomState["layers"] {
  const ids = new Set(tracks.map((track) => track.track_id));
  const kept = [...layers].filter(([id]) => ids.has(id));
  return kept.length === layers.size ? layers : new Map(kept);
}

function forgetDeparted(state: RoomState, nowMs: number): RoomState {
  const departed = state.departed.filter(({ sinceMs }) => nowMs - sinceMs < DEPARTED_SHOWN_MS);
  return departed.length === state.departed.length ? state : { ...state, departed };
}
