import type { Offer } from "../protocol/messages";
import { answerWithAudioRepair } from "./audioRepair";
import { FreshPaths } from "./freshPaths";

/** A track of somebody else's, arriving. */
export interface RemoteTrack {
  trackId: string;
  track: MediaStreamTrack;
  /** Holds just this track, to give to one media element. */
  stream: MediaStream;
}

export interface SubscriberEvents {
  answer: (revision: number, sdp: string) => void;
  tracks: (tracks: ReadonlyMap<string, RemoteTrack>) => void;
  state: (state: RTCPeerConnectionState) => void;
  /** An offer could not be applied; a fresh connection is needed. */
  failed: (reason: string) => void;
}

/**
 * The receiving peer connection. The server offers, again whenever the set of tracks changes; offers are applied
 * one at a time, and of several waiting ones only the newest, since each describes everything.
 */
export class Subscriber {
  private connection: RTCPeerConnection | null = null;
  private paths = new FreshPaths();
  private waiting: Offer | null = null;
  private busy = false;
  private remote = new Map<string, RemoteTrack>();

  constructor(
    private readonly events: SubscriberEvents,
    private readonly createConnection = () => new RTCPeerConnection({ bundlePolicy: "max-bundle" }),
  ) {}

  get state(): RTCPeerConnectionState {
    return this.connection?.connectionState ?? "new";
  }

  get tracks(): ReadonlyMap<string, RemoteTrack> {
    return this.remote;
  }

  offered(offer: Offer): void {
    this.waiting = { ...offer, fresh: offer.fresh || (this.waiting?.fresh ?? false) };
    if (!this.busy) void this.applyWaiting();
  }

  async getStats(): Promise<RTCStatsReport | null> {
    return (await this.connection?.getStats()) ?? null;
  }

  close(): void {
    this.waiting = null;
    this.replaceConnection(null);
    this.remote = new Map();
  }

  private async applyWaiting(): Promise<void> {
    this.busy = true;
    try {
      for (let offer = this.waiting; offer !== null; offer = this.waiting) {
        this.waiting = null;
        await this.apply(offer);
      }
    } catch (error) {
      this.events.failed(String(error));
    } finally {
      this.busy = false;
    }
  }

  private async apply(offer: Offer): Promise<void> {
    const connection =
      offer.fresh || this.connection === null
        ? this.replaceConnection(this.createConnection())
        : this.connection;
    await connection.setRemoteDescription({ type: "offer", sdp: this.paths.ranked(offer.sdp) });
    this.attach(connection, offer);
    const { type, sdp } = await connection.createAnswer();
    await connection.setLocalDescription({ type, sdp: answerWithAudioRepair(sdp ?? "", offer.sdp) });
    // Closed meanwhile, by leaving or by a fresh offer: nobody waits for this answer any more.
    if (connection !== this.connection) return;
    this.events.answer(offer.revision, connection.localDescription?.sdp ?? "");
    this.events.tracks(this.remote);
  }

  private attach(connection: RTCPeerConnection, offer: Offer): void {
    const byMid = new Map(connection.getTransceivers().map((transceiver) => [transceiver.mid, transceiver]));
    const attached = new Map<string, RemoteTrack>();
    for (const { mid, track_id: trackId } of offer.tracks) {
      const receiver = byMid.get(mid)?.receiver;
      if (receiver === undefined) continue;
      const { track } = receiver;
      // Audio keeps its own adaptive buffer: shortening that one is heard at once.
      if (track.kind === "video") receiver.jitterBufferTarget = 0;
      const known = this.remote.get(trackId);
      const same = known?.track === track ? known : null;
      attached.set(trackId, same ?? { trackId, track, stream: new MediaStream([track]) });
    }
    this.remote = attached;
  }

  private replaceConnection<C extends RTCPeerConnection | null>(connection: C): C {
    if (this.connection !== null) {
      this.connection.onconnectionstatechange = null;
      this.connection.close();
    }
    this.connection = connection;
    this.paths = new FreshPaths();
    if (connection !== null) {
      connection.onconnectionstatechange = () => {
        this.events.state(connection.connectionState);
      };
    }
    this.events.state(this.state);
    return connection;
  }
}
