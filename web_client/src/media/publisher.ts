import type { Publish, Published, TrackInfo } from "../protocol/messages";

export type OwnSource = Extract<TrackInfo["source"], "microphone" | "camera">;

export interface PublisherEvents {
  publish: (message: Omit<Publish, "type">) => void;
  muted: (trackId: string, muted: boolean) => void;
  state: (state: RTCPeerConnectionState) => void;
  failed: (reason: string) => void;
}

interface Outgoing {
  transceiver: RTCRtpTransceiver;
  /** null: muted; nothing is sent. */
  track: MediaStreamTrack | null;
  trackId: string | null;
}

/** A face or a room, not a device's picture: detail enough, and it must not crowd those out. */
const CAMERA_MAX_BITRATE_BPS = 1_500_000;
const MICROPHONE_MAX_BITRATE_BPS = 48_000;
const MAX_BITRATE_BPS = { camera: CAMERA_MAX_BITRATE_BPS, microphone: MICROPHONE_MAX_BITRATE_BPS };

/**
 * The sending peer connection. We offer; at most one offer is out at a time.
 *
 * Muting takes the track off the sender, so that nothing is sent at all, and needs no negotiation.
 */
export class Publisher {
  private connection: RTCPeerConnection | null = null;
  private outgoing = new Map<OwnSource, Outgoing>();
  private transportId: string | null = null;
  private offerOut = false;
  private offerAgain = false;

  constructor(
    private readonly events: PublisherEvents,
    private readonly createConnection = () => new RTCPeerConnection({ bundlePolicy: "max-bundle" }),
  ) {}

  /** null while nothing was ever published. */
  get state(): RTCPeerConnectionState | null {
    return this.connection?.connectionState ?? null;
  }

  async setTrack(source: OwnSource, track: MediaStreamTrack | null): Promise<void> {
    const existing = this.outgoing.get(source);
    if (existing === undefined) {
      if (track === null) return;
      this.add(source, track);
      await this.negotiate();
      return;
    }
    existing.track = track;
    await existing.transceiver.sender.replaceTrack(track);
    if (existing.trackId !== null) this.events.muted(existing.trackId, track === null);
  }

  /** The server's answer to the offer that is out. */
  async published(message: Published): Promise<void> {
    if (!this.offerOut || this.connection === null) return;
    this.transportId = message.transport_id;
    try {
      await this.connection.setRemoteDescription({ type: "answer", sdp: message.answer });
    } catch (error) {
      this.events.failed(String(error));
    }
    this.learnTrackIds(message.tracks);
    this.offerOut = false;
    if (this.offerAgain) await this.negotiate();
  }

  /** The server refused the offer that is out. The next `setTrack` or restart tries again. */
  refused(): void {
    this.offerOut = false;
    this.offerAgain = false;
  }

  async restartIce(): Promise<void> {
    if (this.connection === null) return;
    this.connection.restartIce();
    await this.negotiate();
  }

  /** The room connection came back: an offer or its answer may have been lost on the way. */
  async resume(): Promise<void> {
    if (this.connection === null) return;
    const lost = this.offerOut;
    this.offerOut = false;
    if (lost || this.state !== "connected") await this.restartIce();
    else this.repeatMuted();
  }

  /** The server has nothing of us any more: the same tracks on a new connection. */
  async rebuild(): Promise<void> {
    const tracks = [...this.outgoing].map(([source, { track }]) => ({ source, track }));
    if (this.connection === null) return;
    this.close();
    for (const { source, track } of tracks) this.add(source, track);
    if (tracks.length > 0) await this.negotiate();
  }

  async getStats(): Promise<RTCStatsReport | null> {
    return (await this.connection?.getStats()) ?? null;
  }

  close(): void {
    if (this.connection !== null) {
      this.connection.onconnectionstatechange = null;
      this.connection.close();
    }
    this.connection = null;
    this.outgoing = new Map();
    this.transportId = null;
    this.offerOut = false;
    this.offerAgain = false;
  }

  private add(source: OwnSource, track: MediaStreamTrack | null): void {
    const connection = (this.connection ??= this.open());
    const transceiver = connection.addTransceiver(track ?? (source === "camera" ? "video" : "audio"), {
      direction: "sendonly",
      sendEncodings: [{ maxBitrate: MAX_BITRATE_BPS[source] }],
    });
    this.outgoing.set(source, { transceiver, track, trackId: null });
  }

  private open(): RTCPeerConnection {
    const connection = this.createConnection();
    connection.onconnectionstatechange = () => {
      this.events.state(connection.connectionState);
    };
    return connection;
  }

  private async negotiate(): Promise<void> {
    const { connection } = this;
    if (connection === null) return;
    this.offerAgain = this.offerOut;
    if (this.offerOut) return;
    this.offerOut = true;
    await connection.setLocalDescription(await connection.createOffer());
    if (connection !== this.connection) return;
    const sources = [...this.outgoing].flatMap(
      ([
        source,
        {
          transceiver: { mid },
        },
      ]) => (mid === null ? [] : [{ mid, source }]),
    );
    const offer = connection.localDescription?.sdp ?? "";
    this.events.publish({ offer, sources, transport_id: this.transportId });
  }

  private learnTrackIds(tracks: readonly TrackInfo[]): void {
    for (const [source, outgoing] of this.outgoing) {
      const info = tracks.find((track) => track.source === source);
      if (info === undefined) continue;
      outgoing.trackId = info.track_id;
      const muted = outgoing.track === null;
      if (info.muted !== muted) this.events.muted(info.track_id, muted);
    }
  }

  private repeatMuted(): void {
    for (const { track, trackId } of this.outgoing.values()) {
      if (trackId !== null) this.events.muted(trackId, track === null);
    }
  }
}
