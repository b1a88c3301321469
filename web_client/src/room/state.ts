import type { RemoteTrack } from "../media/subscriber";
import type { DeviceProblem } from "../media/devices";
import type { Codec } from "../media/codecs";
import type { OwnSource } from "../media/publisher";
import type { ConsultationInfo, Participant, TrackInfo } from "../protocol/messages";
import type { LinkState } from "./connection";

export type DeviceState =
  | { phase: "off" }
  | { phase: "asking" }
  | { phase: "on"; stream: MediaStream }
  /** Captured, but nothing of it is sent. */
  | { phase: "muted" }
  | { phase: "failed"; problem: DeviceProblem };

/** Why the room is over, or was never entered. `code` is the server's problem code. */
export type Ending =
  { kind: "consultation-ended" } | { kind: "removed" } | { kind: "refused"; code: string; detail: string };

/** A device's picture that was here and went; it stays named on the wall for a while. */
export interface Departed {
  feed: string;
  /** Whose it was; while they are still in the room, the picture is expected back. */
  participantId: string;
  sinceMs: number;
}

export interface RoomState {
  link: LinkState;
  ending: Ending | null;
  room: string;
  me: Participant | null;
  consultation: ConsultationInfo | null;
  recordingReason: string;
  participants: readonly Participant[];
  tracks: readonly TrackInfo[];
  /** Tracks this browser cannot decode. */
  unsupported: ReadonlyMap<string, Codec>;
  departed: readonly Departed[];
  remote: ReadonlyMap<string, RemoteTrack>;
  receiving: RTCPeerConnectionState;
  sending: RTCPeerConnectionState | null;
  devices: Readonly<Record<OwnSource, DeviceState>>;
  /** The browser wants a click before it plays sound. */
  soundBlocked: boolean;
}

export function initialState(room: string): RoomState {
  return {
    link: "connecting",
    ending: null,
    room,
    me: null,
    consultation: null,
    recordingReason: "",
    participants: [],
    tracks: [],
    unsupported: new Map(),
    departed: [],
    remote: new Map(),
    receiving: "new",
    sending: null,
    devices: { microphone: { phase: "off" }, camera: { phase: "off" } },
    soundBlocked: false,
  };
}
