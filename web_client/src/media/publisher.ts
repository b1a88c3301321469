import type { Publish, Published, TrackInfo } from "../protocol/messages";
import { offerWithAudioRepair } from "./audioRepair";
import { MICROPHONE_MAX_BITRATE_BPS } from "./constraints";
import { FreshPaths } from "./freshPaths";
import { DEGRADATION, layeredCodecs, pictureEncodings, restedEncodings } from "./layers";
import { preferences, type Preferences } from "./preferences";

export type OwnSource = Exclude<TrackInfo["source"], "device">;

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

const KIND = { microphone: "audio", camera: "video", screen: "video" } as const;

/**
 * The sending peer connection. We offer; at most one offer is out at a time.
 *
 * Muting takes the track off the sender, so that nothing is sent at all, and needs no negotiation. A screen is no
 * longer shared rather than muted: its m-line turns inactive, so that no dark tile stays with the others.
 */
export class Publisher {
  private connection: RTCPeerConnection | null = null;
  private paths = new FreshPaths();
  private outgoing = new Map<OwnSource, Outgoing>();
  private transportId: string | null = null;
  private offerOut = false;
  private offerAgain = false;
  /** Connections whose offers the server has not answered, in the order in which it will. */
  private unanswered: RTCPeerConnection[] = [];
  /** Which encodings the server wants, by track id; it may say so before it says which track is whose. */
  private wanted = new Map<string, readonly string[]>();
  /** Parameters of senders are changed one after another. */
  private changes: Promise<void> = Promise.resolve();

  constructor(
    private readonly events: PublisherEvents,
    private readonly createConnection = () => new RTCPeerConnection({ bundlePolicy: "max-bundle" }),
    private readonly wishes: Preferences = preferences,
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
    // Rebuilt or closed meanwhile: this carries nothing any more.
    if (this.outgoing.get(source) !== existing) return;
    if (source === "screen") await this.share(existing, track !== null);
    else if (existing.trackId !== null) this.events.muted(existing.trackId, track === null);
  }

  /** The profile has changed: sound that is no speech needs more. */
  async microphoneChanged(): Promise<void> {
    const [changed] = this.encodings("microphone", null);
    await this.change("microphone", ([encoding]) =>
      encoding === undefined ? null : [{ ...encoding, ...changed }],
    );
  }

  /** The server wants these encodings of a track; the others rest, and cost nothing. */
  async layersWanted(trackId: string, rids: readonly string[]): Promise<void> {
    this.wanted.set(trackId, rids);
    await this.restLayers();
  }

  /** The server's answer to the offer that is out. */
  async published(message: Published): Promise<void> {
    const answered = this.unanswered.shift();
    if (!this.offerOut || this.connection === null || answered !== this.connection) return;
    this.transportId = message.transport_id;
    try {
      await this.connection.setRemoteDescription({ type: "answer", sdp: this.paths.ranked(message.answer) });
    } catch (error) {
      this.events.failed(String(error));
    }
    this.learnTrackIds(message.tracks);
    this.offerOut = false;
    if (this.offerAgain) await this.negotiate();
    await this.restLayers();
  }

  /**
   * The server refused an offer. The next `setTrack` or restart tries again. False: it was one of a connection before,
   * of which nothing is left.
   */
  refused(): boolean {
    const refused = this.unanswered.shift();
    if (refused !== undefined && refused !== this.connection) return false;
    this.offerOut = false;
    this.offerAgain = false;
    return true;
  }

  /** The room connection is another one: what was not answered on the one before never will be. */
  forgetAnswers(): void {
    this.unanswered = [];
  }

  async restartIce(): Promise<void> {
    if (this.connection === null) return;
    this.connection.restartIce();
    await this.negotiate();
  }

  /**
   * The room connection came back: an offer or its answer may have been lost on the way. `restart`: so may the network
   * that this connection goes over.
   */
  async resume(restart = false): Promise<void> {
    this.forgetAnswers();
    if (this.connection === null) return;
    const lost = this.offerOut;
    this.offerOut = false;
    if (lost || restart || this.state !== "connected") await this.restartIce();
    else this.repeatMuted();
  }

  /** The server has nothing of us any more: the same tracks on a new connection. */
  async rebuild(): Promise<void> {
    const tracks = [...this.outgoing]
      .map(([source, { track }]) => ({ source, track }))
      .filter(({ source, track }) => source !== "screen" || track !== null);
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
    this.wanted = new Map();
    this.transportId = null;
    this.offerOut = false;
    this.offerAgain = false;
  }

  private add(source: OwnSource, track: MediaStreamTrack | null): void {
    const connection = (this.connection ??= this.open());
    const transceiver = connection.addTransceiver(track ?? KIND[source], {
      direction: "sendonly",
      sendEncodings: this.encodings(source, track),
    });
    this.outgoing.set(source, { transceiver, track, trackId: null });
    if (source === "camera") preferLayeredCodecs(transceiver);
    if (source !== "microphone") void this.change(source, (encodings) => encodings, DEGRADATION[source]);
  }

  private encodings(source: OwnSource, track: MediaStreamTrack | null): RTCRtpEncodingParameters[] {
    if (source !== "microphone") return pictureEncodings(source, track);
    return [{ maxBitrate: MICROPHONE_MAX_BITRATE_BPS[this.wishes.get().profile] }];
  }

  /** `make` returns null where nothing is to be changed. */
  private change(
    source: OwnSource,
    make: (encodings: RTCRtpEncodingParameters[]) => RTCRtpEncodingParameters[] | null,
    degradationPreference?: RTCDegradationPreference,
  ): Promise<void> {
    const sender = this.outgoing.get(source)?.transceiver.sender;
    const act = async () => {
      if (sender === undefined) return;
      const parameters = sender.getParameters();
      const encodings = make(parameters.encodings);
      if (encodings === null) return;
      const preference = degradationPreference === undefined ? {} : { degradationPreference };
      // Refused in the middle of a negotiation: it is done after that one, or with the next connection.
      await sender.setParameters({ ...parameters, ...preference, encodings }).catch(() => undefined);
    };
    return (this.changes = this.changes.then(act));
  }

  private async restLayers(): Promise<void> {
    for (const [source, { trackId }] of this.outgoing) {
      const wanted = trackId === null ? undefined : this.wanted.get(trackId);
      if (wanted !== undefined) await this.change(source, (encodings) => restedEncodings(encodings, wanted));
    }
  }

  /** Another picture on the same screen track needs no offer; beginning and ending do. */
  private async share(screen: Outgoing, shared: boolean): Promise<void> {
    const direction = shared ? "sendonly" : "inactive";
    if (screen.transceiver.direction === direction) return;
    screen.transceiver.direction = direction;
    screen.trackId = null;
    await this.negotiate();
  }

  private open(): RTCPeerConnection {
    const connection = this.createConnection();
    this.paths = new FreshPaths();
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
    try {
      const { type, sdp } = await connection.createOffer();
      await connection.setLocalDescription({ type, sdp: offerWithAudioRepair(sdp ?? "") });
    } catch (error) {
      // Closed meanwhile: nobody waits for this offer any more.
      if (connection !== this.connection) return;
      this.offerOut = false;
      this.events.failed(String(error));
      return;
    }
    if (connection !== this.connection) return;
    const sources = [...this.outgoing].flatMap(([source, { transceiver }]) =>
      transceiver.mid === null ? [] : [{ mid: transceiver.mid, source }],
    );
    const offer = connection.localDescription?.sdp ?? "";
    this.unanswered.push(connection);
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

/** Browsers that cannot be told choose one of these by themselves. */
function preferLayeredCodecs(transceiver: RTCRtpTransceiver): void {
  if (!("setCodecPreferences" in transceiver)) return;
  const codecs = layeredCodecs(RTCRtpSender.getCapabilities("video")?.codecs ?? []);
  if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
}
