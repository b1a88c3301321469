import { ApiError } from "../api/http";
import type { JoinedRoom, Session } from "../api/session";
import { decodableCodecs } from "../media/codecs";
import { MediaMonitor } from "../media/monitor";
import { OwnDevices } from "../media/ownDevices";
import { Publisher, type OwnSource } from "../media/publisher";
import { IceRecovery } from "../media/recovery";
import { Subscriber } from "../media/subscriber";
import type { ServerMessage } from "../protocol/messages";
import { ClockSync } from "./clockSync";
import { RoomConnection, type LinkState, type RoomTicket } from "./connection";
import { reduce, type RoomEvent } from "./reducer";
import { initialState, type RoomState } from "./state";
import { Store } from "./store";

const TICK_MS = 250;
/** A token this close to its end may not survive the greeting. */
const TOKEN_MARGIN_MS = 15_000;

const now = () => performance.now();

/** One stay in one room: owns the WebSocket, both peer connections, the devices and the state the pages show. */
export class RoomClient {
  readonly store: Store<RoomState>;
  readonly clock = new ClockSync();
  readonly monitor: MediaMonitor;
  readonly subscriber: Subscriber;
  readonly publisher: Publisher;
  /** When the person asked to join, to measure how long the first picture took. */
  readonly startedMs = now();
  private readonly devices: OwnDevices;
  private readonly connection: RoomConnection;
  private readonly recovery = { receiving: new IceRecovery(), sending: new IceRecovery() };
  private joined: { room: JoinedRoom; atMs: number } | null = null;
  private sessionOf: string | null = null;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private ticks = 0;

  constructor(
    private readonly session: Session,
    private readonly room: string,
  ) {
    this.store = new Store(initialState(room));
    this.monitor = new MediaMonitor(this.store.get, this.clock, now);
    this.subscriber = this.createSubscriber();
    this.publisher = this.createPublisher();
    this.devices = new OwnDevices({
      send: (source, track) => this.publisher.setTrack(source, track),
      changed: (source, device) => {
        this.dispatch({ type: "device", source, device });
      },
    });
    this.connection = this.createConnection();
  }

  start(): void {
    window.addEventListener("online", this.networkChanged);
    document.addEventListener("visibilitychange", this.pageShown);
    this.ticker = setInterval(() => void this.tick(), TICK_MS);
    void this.connection.open();
  }

  /** Leave: nothing is asked, everything is let go. */
  leave(): void {
    window.removeEventListener("online", this.networkChanged);
    document.removeEventListener("visibilitychange", this.pageShown);
    clearInterval(this.ticker);
    this.connection.close();
    this.releaseMedia();
  }

  setDevice(source: OwnSource, on: boolean): void {
    void this.devices.set(source, on);
  }

  toggleDevice(source: OwnSource): void {
    this.setDevice(source, !this.devices.isOn(source));
  }

  soundBlocked(blocked: boolean): void {
    this.dispatch({ type: "sound", blocked });
  }

  private createSubscriber(): Subscriber {
    return new Subscriber({
      answer: (revision, sdp) => {
        this.connection.send({ type: "answer", revision, sdp });
      },
      tracks: (tracks) => {
        this.dispatch({ type: "remote", tracks });
      },
      state: (state) => {
        this.dispatch({ type: "receiving", state });
        this.heal();
      },
      failed: () => {
        this.subscribe();
      },
    });
  }

  private createPublisher(): Publisher {
    return new Publisher({
      publish: (message) => {
        this.connection.send({ type: "publish", ...message });
      },
      muted: (trackId, muted) => {
        this.connection.send({ type: "set_muted", track_id: trackId, muted });
      },
      state: (state) => {
        this.dispatch({ type: "sending", state });
        this.heal();
      },
      failed: () => {
        void this.publisher.rebuild();
      },
    });
  }

  private createConnection(): RoomConnection {
    return new RoomConnection(
      {
        message: (message) => {
          this.received(message);
        },
        state: (state) => {
          this.linkChanged(state);
        },
        pong: (sentMs, receivedMs, serverTimeUs) => {
          this.clock.pong(sentMs, receivedMs, serverTimeUs);
        },
      },
      {
        openSocket: (url, protocols) => new WebSocket(url, protocols),
        ticket: (attempt) => this.ticket(attempt),
        isFinal: (error) => !(error instanceof ApiError && error.isTemporary),
        refused: (error) => {
          this.refused(error);
        },
        now,
        random: Math.random,
      },
    );
  }

  /** The first attempt uses the token at hand; after one in vain, ask again whether we may come in at all. */
  private async ticket(attempt: number): Promise<RoomTicket> {
    const { joined } = this;
    const fresh = joined !== null && now() < joined.atMs + joined.room.expires_in * 1000 - TOKEN_MARGIN_MS;
    if (!fresh || attempt > 1) this.joined = { room: await this.session.join(this.room), atMs: now() };
    const { room } = this.joined ?? joined ?? fail();
    return { url: socketUrl(room, window.location.href), token: room.token };
  }

  private refused(error: unknown): void {
    const { code, detail } = error instanceof ApiError ? error : { code: "error", detail: String(error) };
    this.dispatch({ type: "ending", ending: { kind: "refused", code, detail } });
    this.releaseMedia();
  }

  private linkChanged(state: LinkState): void {
    if (state === "reconnecting") this.clock.reset();
    this.dispatch({ type: "link", state });
  }

  private received(message: ServerMessage): void {
    if (message.type === "welcome") this.clock.seed(now(), message.server_time_us);
    this.dispatch({ type: "message", message, nowMs: now() });
    switch (message.type) {
      case "welcome":
        this.welcomed(message.participant.participant_id);
        break;
      case "offer":
        if (message.fresh) this.monitor.forgetClocks();
        this.subscriber.offered(message);
        break;
      case "published":
        void this.publisher.published(message);
        break;
      case "capture_clock":
        this.monitor.captureClock(message);
        break;
      case "media_reset":
        this.startMedia();
        break;
      case "error":
        this.messageRefused(message.about, message.code);
        break;
      case "consultation_ended":
        this.releaseMedia();
        break;
      default:
    }
  }

  /** The same participant: our media connections live on, and only need to learn what they missed. */
  private welcomed(participantId: string): void {
    const resumed = participantId === this.sessionOf;
    this.sessionOf = participantId;
    if (!resumed) {
      this.startMedia();
      return;
    }
    this.connection.send({ type: "restart_ice" });
    void this.publisher.resume();
  }

  private startMedia(): void {
    this.recovery.receiving.reset();
    this.recovery.sending.reset();
    this.subscribe();
    void this.publisher.rebuild();
  }

  private subscribe(): void {
    this.connection.send({ type: "subscribe", codecs: decodableCodecs() });
  }

  private messageRefused(about: string | null, code: string): void {
    if (about === "restart_ice") this.subscribe();
    if (about !== "publish") return;
    this.publisher.refused();
    // The server has forgotten the connection we spoke of: begin a new one. Anything else is a decision.
    if (code === "not_found") void this.publisher.rebuild();
    else void this.devices.refused();
  }

  private heal(): void {
    if (this.store.get().link !== "joined") return;
    const receiving = this.recovery.receiving.update(this.subscriber.state, now());
    if (receiving === "restart") this.connection.send({ type: "restart_ice" });
    if (receiving === "rebuild") this.subscribe();
    const sendingState = this.publisher.state;
    if (sendingState === null) return;
    const sending = this.recovery.sending.update(sendingState, now());
    if (sending === "restart") void this.publisher.restartIce();
    if (sending === "rebuild") void this.publisher.rebuild();
  }

  private readonly networkChanged = (): void => {
    this.connection.hurry();
    if (this.store.get().link !== "joined") return;
    this.connection.send({ type: "restart_ice" });
    void this.publisher.restartIce();
  };

  private readonly pageShown = (): void => {
    if (document.visibilityState === "visible") this.connection.hurry();
  };

  private async tick(): Promise<void> {
    this.ticks += 1;
    this.heal();
    if (this.ticks % 2 === 0) {
      const report = await this.subscriber.getStats();
      if (report !== null) this.monitor.statsRead(report);
    }
    this.monitor.publish();
    this.dispatch({ type: "tick", nowMs: now() });
  }

  private releaseMedia(): void {
    this.devices.close();
    this.subscriber.close();
    this.publisher.close();
  }

  private dispatch(event: RoomEvent): void {
    this.store.set(reduce(this.store.get(), event));
  }
}

/** The server's `ws_url` may be a path or an address; the room is always named in it, the token never. */
export function socketUrl(joined: Pick<JoinedRoom, "ws_url" | "room">, pageUrl: string): string {
  const url = new URL(joined.ws_url, pageUrl);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("room", joined.room);
  return url.href;
}

function fail(): never {
  throw new Error("no room ticket");
}
