import type { FeedStatus } from "../media/feedStatus";
import type { Participant, TrackInfo } from "../protocol/messages";
import type { Departed, RoomState } from "./state";

/** One tile on the wall. `id` stays the same when the publisher comes back with a new track. */
export interface Feed {
  id: string;
  kind: "device" | "person" | "screen" | "departed";
  /** The feed's name, or the person's. */
  name: string;
  trackId: string | null;
  /** Set on a picture that is gone. */
  departed: { sinceMs: number; expectedBack: boolean } | null;
}

const RANK: Record<Feed["kind"], number> = { device: 0, departed: 0, screen: 1, person: 2 };

/** All pictures, device pictures first and faces last; within that in order of name, so that nothing jumps. */
export function feedsOf(
  state: Pick<RoomState, "tracks" | "participants" | "departed" | "me">,
): readonly Feed[] {
  const present = state.tracks
    .filter((track) => isShown(track, state.me))
    .map((track) => toFeed(track, state.participants));
  const unique = [...new Map(present.map((feed) => [feed.id, feed])).values()];
  const gone = state.departed.map((one) => departedFeed(one, state.participants));
  return [...unique, ...gone].sort((a, b) => RANK[a.kind] - RANK[b.kind] || compare(a.id, b.id));
}

/** A camera that was switched off is said in the list of people, not shown as a black tile. */
function isShown(track: TrackInfo, me: Participant | null): boolean {
  if (track.kind !== "video" || track.participant_id === me?.participant_id) return false;
  return !(track.source === "camera" && track.muted);
}

function toFeed(track: TrackInfo, participants: readonly Participant[]): Feed {
  const { feed, source, track_id: trackId } = track;
  const owner = participants.find((one) => one.participant_id === track.participant_id);
  if (source === "device") return { id: feed, kind: "device", name: feed, trackId, departed: null };
  const kind = source === "screen" ? "screen" : "person";
  const id = kind === "screen" ? `${feed}-screen` : feed;
  return { id, kind, name: owner?.name ?? feed, trackId, departed: null };
}

function departedFeed(
  { feed, participantId, sinceMs }: Departed,
  participants: readonly Participant[],
): Feed {
  const expectedBack = participants.some((one) => one.participant_id === participantId);
  const departed = { sinceMs, expectedBack };
  return { id: feed, kind: "departed", name: feed, trackId: null, departed };
}

/** What a tile says: `left` is a picture that is gone and not expected back. */
export type ShownStatus = FeedStatus | "left";

export function shownStatus(feed: Feed, reading: { status: FeedStatus } | null): ShownStatus {
  if (feed.departed) return feed.departed.expectedBack ? "reconnecting" : "left";
  return reading?.status ?? "waiting";
}

/** The feed to show large: the chosen one while it exists, else the first. */
export function focusedFeed(feeds: readonly Feed[], chosen: string | null): Feed | null {
  return feeds.find((feed) => feed.id === chosen) ?? feeds[0] ?? null;
}

export interface Person {
  participant: Participant;
  isMe: boolean;
  microphone: "on" | "muted" | "none";
  camera: "on" | "off" | "none";
  /** Their audio track, to ask whether they speak. */
  audioTrackId: string | null;
}

const ROLE_ORDER: Record<Participant["role"], number> = {
  specialist: 0,
  site: 1,
  auditor: 2,
  admin: 2,
  recorder: 3,
  device: 3,
};

/** Everybody in the room, people first, boxes and the recorder last. */
export function peopleOf(state: Pick<RoomState, "tracks" | "participants" | "me">): readonly Person[] {
  return [...state.participants]
    .sort((a, b) => ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || compare(a.name, b.name))
    .map((participant) => describe(participant, state));
}

/** Humans, as the header counts them. */
export function isHuman({ role }: Participant): boolean {
  return role !== "device" && role !== "recorder";
}

function describe(participant: Participant, state: Pick<RoomState, "tracks" | "me">): Person {
  const own = state.tracks.filter((track) => track.participant_id === participant.participant_id);
  const microphone = own.find((track) => track.source === "microphone");
  const camera = own.find((track) => track.source === "camera");
  return {
    participant,
    isMe: participant.participant_id === state.me?.participant_id,
    microphone: microphone === undefined ? "none" : microphone.muted ? "muted" : "on",
    camera: camera === undefined ? "none" : camera.muted ? "off" : "on",
    audioTrackId: microphone?.track_id ?? null,
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
