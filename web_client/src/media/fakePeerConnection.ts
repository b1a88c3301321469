/** The browser's peer connection, as far as this client uses it; SDP is plain words. For tests. */

/** Everything that was queued as a promise has happened. */
export async function drained(): Promise<void> {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
}

export class FakeTrack {
  onended: (() => void) | null = null;
  stopped = false;
  contentHint = "";
  settings: MediaTrackSettings = {};
  /** Whether the browser can change an open track. */
  obeys = false;
  asked: MediaTrackConstraints[] = [];

  constructor(
    readonly kind: "audio" | "video",
    readonly id: string = kind,
  ) {}

  get label(): string {
    return this.id;
  }

  stop(): void {
    this.stopped = true;
  }

  getSettings(): MediaTrackSettings {
    return this.settings;
  }

  applyConstraints(constraints: MediaTrackConstraints): Promise<void> {
    this.asked.push(constraints);
    if (this.obeys) this.settings = { ...this.settings, ...(constraints as MediaTrackSettings) };
    return Promise.resolve();
  }
}

/** A MediaStream of these tracks. */
export class FakeStream {
  constructor(readonly tracks: unknown[]) {}
}

export const asTrack = (track: FakeTrack) => track as unknown as MediaStreamTrack;

class FakeTransceiver {
  readonly receiver: { track: FakeTrack; jitterBufferTarget: number | null };
  readonly sender: FakeSender;
  mid: string | null = null;
  direction: RTCRtpTransceiverDirection;

  constructor(kind: "audio" | "video", id: string, track: unknown, init?: RTCRtpTransceiverInit) {
    this.receiver = { track: new FakeTrack(kind, id), jitterBufferTarget: null };
    this.direction = init?.direction ?? "recvonly";
    this.sender = new FakeSender(track, init?.sendEncodings ?? []);
  }
}

class FakeSender {
  constructor(
    public track: unknown,
    private encodings: RTCRtpEncodingParameters[],
  ) {}

  replaceTrack(next: unknown): Promise<void> {
    this.track = next;
    return Promise.resolve();
  }

  getParameters(): { encodings: RTCRtpEncodingParameters[] } {
    return structuredClone({ encodings: this.encodings });
  }

  setParameters({ encodings }: { encodings: RTCRtpEncodingParameters[] }): Promise<void> {
    this.encodings = encodings;
    return Promise.resolve();
  }
}

export class FakePeerConnection {
  connectionState: RTCPeerConnectionState = "new";
  onconnectionstatechange: (() => void) | null = null;
  localDescription: { sdp: string } | null = null;
  remote: string[] = [];
  transceivers: FakeTransceiver[] = [];
  iceRestarts = 0;
  closed = false;
  /** Rejects the next remote description. */
  breaks = false;
  private offers = 0;

  /** An offer reads `video:1 audio:2`: kinds and mids. */
  setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    if (this.breaks) return Promise.reject(new Error("bad SDP"));
    this.remote.push(sdp);
    if (type === "offer") for (const line of sdp.split(" ")) this.receive(line);
    return Promise.resolve();
  }

  createAnswer(): Promise<{ sdp: string }> {
    return Promise.resolve({ sdp: `answer to ${this.remote.at(-1)}` });
  }

  createOffer(): Promise<{ sdp: string }> {
    this.offers += 1;
    return Promise.resolve({ sdp: `offer ${this.offers} ice ${this.iceRestarts}` });
  }

  setLocalDescription(description: { sdp: string }): Promise<void> {
    this.localDescription = description;
    this.transceivers.forEach((transceiver, index) => (transceiver.mid ??= String(index)));
    return Promise.resolve();
  }

  addTransceiver(track: FakeTrack | "audio" | "video", init?: RTCRtpTransceiverInit): FakeTransceiver {
    const kind = typeof track === "string" ? track : track.kind;
    const made = new FakeTransceiver(kind, "", typeof track === "string" ? null : track, init);
    this.transceivers.push(made);
    return made;
  }

  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }

  getStats(): Promise<Map<string, unknown>> {
    return Promise.resolve(new Map<string, unknown>());
  }

  restartIce(): void {
    this.iceRestarts += 1;
  }

  close(): void {
    this.closed = true;
    this.connectionState = "closed";
  }

  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  private receive(line: string): void {
    const [kind, mid] = line.split(":");
    if ((kind !== "audio" && kind !== "video") || mid === undefined) return;
    if (this.transceivers.some((one) => one.mid === mid)) return;
    const made = new FakeTransceiver(kind, `remote-${mid}`, null);
    made.mid = mid;
    this.transceivers.push(made);
  }
}

/** Makes fakes and keeps them. */
export class FakePeerConnections {
  made: FakePeerConnection[] = [];

  readonly create = (): RTCPeerConnection => {
    const connection = new FakePeerConnection();
    this.made.push(connection);
    return connection as unknown as RTCPeerConnection;
  };

  get last(): FakePeerConnection {
    const last = this.made.at(-1);
    if (last === undefined) throw new Error("no connection was made");
    return last;
  }
}
