import type { RemoteTrack } from "../media/subscriber";
import type { DeviceProblem } from "../media/devices";
import type { Codec } from "../media/codecs";
import type { OwnSource } from "../media/publisher";
import type {
  ChatEntry,
  ConsultationInfo,
  LayerChanged,
  Opinion,
  Participant,
  QualityLimits,
  TrackInfo,
} from "../protocol/messages";
import type { LinkState, LostReason } from "./connection";

export type DeviceState =
  | { phase: "off" }
  | { phase: "asking" }
  | { phase: "on"; stream: MediaStream }
  /** Captured, but nothing of it is sent. */
  | { phase: "muted" }
  | { phase: "failed"; problem: DeviceProblem };

/** Why the room is over, or was never entered. `code` is the server's problem code. */
export type Ending =
  | { kind: "consultation-ended" }
  | { kind: "removed" }
  /** A host did not let this guest in. */
  | { kind: "turned-away" }
  /** The same person goes on in another window. */
  | { kind: "taken-over" }
  | { kind: "refused"; code: string; detail: string };

/** What the server or the connection calls the end, as an ending. `code`: a problem code or a close reason. */
export function endingOf(code: string, detail: string): Ending {
  switch (code) {
    case "removed":
      return { kind: "removed" };
    case "turned_away":
      return { kind: "turned-away" };
    case "taken_over":
    case "resumed_elsewhere":
      return { kind: "taken-over" };
    case "consultation_closed":
      return { kind: "consultation-ended" };
    default:
      return { kind: "refused", code, detail };
  }
}

/** The connection to the room is gone for now. */
export interface Away {
  /** `performance.now()`, ms. */
  sinceMs: number;
  reason: LostReason;
}

/** A device's picture that was here and went; it stays named on the wall for a while. */
export interface Departed {
  feed: string;
  /** Whose it was; while they are still in the room, the picture is expected back. */
  participantId: string;
  sinceMs: number;
}

export type Lowered = LayerChanged["lowered"];

/** What the server sends of a picture: rid, empty without layers, null: nothing. */
export type ShownLayer = Pick<LayerChanged, "layer" | "lowered">;

export interface RoomState {
  link: LinkState;
  /** Set while the connection is being made again. */
  away: Away | null;
  /** The browser has a network at all. */
  online: boolean;
  ending: Ending | null;
  room: string;
  me: Participant | null;
  /** In the lobby: a host has to let this person in. */
  waiting: boolean;
  /** May admit, turn away, remove, pause, and change the consent. */
  host: boolean;
  consultation: ConsultationInfo | null;
  /** Who paused picture and sound, by name; empty when unknown. */
  pausedBy: string;
  /** Since when they are paused, by the server's clock, µs; null when unknown. */
  pausedSinceUs: number | null;
  /** What this host asked for and the server has not confirmed yet. */
  pauseAsked: boolean | null;
  /** Who began or stopped recording last, by name; empty when unknown. */
  recordBy: string;
  /** Whether it shall be recorded, as this host asked and the server has not confirmed yet. */
  recordAsked: boolean | null;
  /** Why the server did not do that; its code. */
  recordProblem: string;
  /** Written opinions, oldest first. */
  opinions: readonly Opinion[];
  /** The name of the site, as the lobby tells it. */
  site: string;
  /** Who waits to be let in; hosts only. */
  lobby: readonly Participant[];
  chat: readonly ChatEntry[];
  /** What was written last while this person was here. */
  latestChat: ChatEntry | null;
  limits: QualityLimits;
  participants: readonly Participant[];
  tracks: readonly TrackInfo[];
  /** Tracks this browser cannot decode. */
  unsupported: ReadonlyMap<string, Codec>;
  /** By track id, for pictures the server has said so of. */
  layers: ReadonlyMap<string, ShownLayer>;
  departed: readonly Departed[];
  remote: ReadonlyMap<string, RemoteTrack>;
  receiving: RTCPeerConnectionState;
  sending: RTCPeerConnectionState | null;
  devices: Readonly<Record<OwnSource, DeviceState>>;
  /** The browser wants a click before it plays sound. */
  soundBlocked: boolean;
  /** Counts the clicks that allow sound: everything that plays tries again. */
  hearAttempt: number;
  /** Own seats in other windows that this person decided to keep. */
  keptSeats: ReadonlySet<string>;
}

export const DEFAULT_LIMITS: QualityLimits = {
  good_delay_ms: 200,
  fair_delay_ms: 300,
  good_frame_rate: 24,
  fair_frame_rate: 15,
};

export function initialState(room: string): RoomState {
  return {
    link: "connecting",
    away: null,
    online: true,
    ending: null,
    room,
    me: null,
    waiting: false,
    host: false,
    consultation: null,
    pausedBy: "",
    pausedSinceUs: null,
    pauseAsked: null,
    recordBy: "",
    recordAsked: null,
    recordProblem: "",
    opinions: [],
    site: "",
    lobby: [],
    chat: [],
    latestChat: null,
    limits: DEFAULT_LIMITS,
    participants: [],
    tracks: [],
    unsupported: new Map(),
    layers: new Map(),
    departed: [],
    remote: new Map(),
    receiving: "new",
    sending: null,
    devices: { microphone: { phase: "off" }, camera: { phase: "off" }, screen: { phase: "off" } },
    soundBlocked: false,
    hearAttempt: 0,
    keptSeats: new Set(),
  };
}
