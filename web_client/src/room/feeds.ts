import type { FeedStatus } from "../media/feedStatus";
import type { Participant, TrackInfo } from "../protocol/messages";
import type { Departed, RoomState } from "./state";

/** One tile on the wall. `id` stays the same when the publisher comes back with a new track. */
export interface Feed {
  id: string;
  kind: "device" | "person" | "screen" | "departed";
  /** The feed's name, or the person's. */
  name: string;
  /** By what this person's arrangement remembers it, from one consultation to the next. */
  place: string;
  trackId: string | null;
  /** Whose it is. */
  participantId: string;
  /** The site paused picture and sound: nothing of it may be seen, not even the last frame. */
  paused: boolean;
  /** Its owner switched it off. */
  off: boolean;
  /** A capture box with a seat in the room sends it: drawings on it can move with the tissue. */
  boxed: boolean;
  /** The console of its device can be controlled from here. */
  controllable: boolean;
  /** Set on a picture that is gone. */
  departed: { sinceMs: number; expectedBack: boolean } | null;
}

const RANK: Record<Feed["kind"], number> = { device: 0, departed: 0, screen: 1, person: 2 };

/** All pictures, device pictures first and faces last; within that in order of name, so that nothing jumps. */
export function feedsOf(
  state: Pick<RoomState, "tracks" | "participants" | "departed" | "me">,
): readonly Feed[] {
  const present = state.tracks
    .filter((track) => track.kind === "video" && track.participant_id !== state.me?.participant_id)
    .map((track) => toFeed(track, state.participants));
  const unique = [...new Map(present.map((feed) => [feed.id, feed])).values()];
  const gone = state.departed.map((one) => departedFeed(one, state.participants));
  return [...unique, ...gone].sort((a, b) => RANK[a.kind] - RANK[b.kind] || compare(a.id, b.id));
}

function toFeed(track: TrackInfo, participants: readonly Participant[]): Feed {
  const { feed, source, track_id: trackId, participant_id: participantId, paused, muted } = track;
  const controllable = track.control_ways.length > 0;
  const owner = participants.find((one) => one.participant_id === participantId);
  const boxed = source === "device" && owner?.sends_only === false;
  const shared = { trackId, participantId, paused, off: muted, boxed, controllable, departed: null };
  if (source === "device") return { id: feed, kind: "device", name: feed, place: feed, ...shared };
  const person = owner?.person === undefined || owner.person === "" ? feed : owner.person;
  const name = owner?.name ?? feed;
  if (source === "screen")
    return { id: `${feed}-screen`, kind: "screen", name, place: `${person}-screen`, ...shared };
  return { id: feed, kind: "person", name, place: person, ...shared };
}

function departedFeed(
  { feed, participantId, sinceMs }: Departed,
  participants: readonly Participant[],
): Feed {
  const expectedBack = participants.some((one) => one.participant_id === participantId);
  const departed = { sinceMs, expectedBack };
  const nothing = { trackId: null, paused: false, off: false, boxed: false, controllable: false };
  return { id: feed, kind: "departed", name: feed, place: feed, participantId, ...nothing, departed };
}

/** What a tile says: `left` is a picture that is gone and not expected back, `off` one its owner switched off. */
export type ShownStatus = FeedStatus | "left" | "paused" | "off";

/** A pause and a switched-off camera count at once: they do not wait for frames to stay away. */
export function shownStatus(feed: Feed, reading: { status: FeedStatus } | null): ShownStatus {
  if (feed.departed) return feed.departed.expectedBack ? "reconnecting" : "left";
  if (feed.paused) return "paused";
  if (feed.off) return "off";
  return reading?.status ?? "waiting";
}

/** What the viewer's network does not carry: not at all, or not as large as it is shown. Devices' pictures first. */
export function loweredFeeds(
  state: Pick<RoomState, "tracks" | "participants" | "departed" | "me" | "layers">,
): { held: readonly Feed[]; smaller: readonly Feed[] } {
  const lowered = feedsOf(state).filter(
    ({ trackId }) => state.layers.get(trackId ?? "")?.lowered === "network",
  );
  const isHeld = ({ trackId }: Feed) => state.layers.get(trackId ?? "")?.layer === null;
  return { held: lowered.filter(isHeld), smaller: lowered.filter((feed) => !isHeld(feed)) };
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

/** Seats of this very person in other windows or machines. */
export function otherSeats({
  participants,
  me,
}: Pick<RoomState, "participants" | "me">): readonly Participant[] {
  if (me === null || me.person === "") return [];
  return participants.filter((one) => one.person === me.person && one.participant_id !== me.participant_id);
}

/** One human (or box) and all their seats, the one that is heard first. */
export interface PersonGroup {
  key: string;
  seats: readonly [Person, ...Person[]];
  isMe: boolean;
}

/** Everybody in the room, each person once however many windows they have. */
export function groupedPeople(
  state: Pick<RoomState, "tracks" | "participants" | "me">,
): readonly PersonGroup[] {
  const groups = new Map<string, [Person, ...Person[]]>();
  for (const seat of peopleOf(state)) {
    const { person, participant_id: id } = seat.participant;
    const key = person === "" ? id : person;
    const seats = groups.get(key);
    if (seats === undefined) groups.set(key, [seat]);
    else seats.push(seat);
  }
  return [...groups].map(([key, seats]) => ({ key, seats, isMe: seats.some((seat) => seat.isMe) }));
}

/** How many people there are, as the header counts them. */
export function headCount(state: Pick<RoomState, "tracks" | "participants" | "me">): number {
  return groupedPeople(state).filter(({ seats }) => isHuman(seats[0].participant)).length;
}

/** Voices to play: everybody's but one's own, from whichever seat. */
export function heardTracks({
  tracks,
  participants,
  me,
}: Pick<RoomState, "tracks" | "participants" | "me">): readonly TrackInfo[] {
  const own = new Set(otherSeats({ participants, me }).map((one) => one.participant_id));
  if (me !== null) own.add(me.participant_id);
  return tracks.filter((track) => track.kind === "audio" && !own.has(track.participant_id));
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
