import type { OwnSource } from "../media/publisher";
import type { RemoteTrack } from "../media/subscriber";
import type { Participant, ServerMessage, TrackInfo } from "../protocol/messages";
import type { LinkState } from "./connection";
import type { Departed, DeviceState, Ending, RoomState } from "./state";

/** How long a device that left stays named on the wall. */
export const DEPARTED_SHOWN_MS = 60_000;

export type RoomEvent =
  | { type: "message"; message: ServerMessage; nowMs: number }
  | { type: "link"; state: LinkState }
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
      return { ...state, link: event.state };
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
      };
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
    case "offer":
      return {
        ...state,
        unsupported: new Map(message.unsupported.map(({ track_id, codec }) => [track_id, codec])),
      };
    case "recording_changed":
      return {
        ...state,
        consultation: state.consultation && { ...state.consultation, recording: message.state },
        recordingReason: message.reason,
      };
    case "consultation_ended":
      return { ...state, ending: { kind: "consultation-ended" } };
    case "published":
    case "capture_clock":
    case "media_reset":
    case "pong":
    case "error":
      return state;
  }
}

function participantLeft(state: RoomState, participantId: string, reason: string): RoomState {
  const removed = reason === "removed" && participantId === state.me?.participant_id;
  return {
    ...state,
    ending: removed ? { kind: "removed" } : state.ending,
    participants: state.participants.filter((person) => person.participant_id !== participantId),
  };
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
  return { ...state, tracks, departed };
}

function forgetDeparted(state: RoomState, nowMs: number): RoomState {
  const departed = state.departed.filter(({ sinceMs }) => nowMs - sinceMs < DEPARTED_SHOWN_MS);
  return departed.length === state.departed.length ? state : { ...state, departed };
}
