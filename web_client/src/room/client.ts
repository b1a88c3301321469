import { ApiError } from "../api/http";
import type { Session } from "../api/session";
import { decodableCodecs } from "../media/codecs";
import { MediaMonitor } from "../media/monitor";
import { OwnDevices } from "../media/ownDevices";
import { Publisher, type OwnSource } from "../media/publisher";
import { IceRecovery } from "../media/recovery";
import { Subscriber } from "../media/subscriber";
import type { ServerMessage } from "../protocol/messages";
import { ClockSync } from "./clockSync";
import { RoomConnection, type LinkState } from "./connection";
import { reduce, type RoomEvent } from "./reducer";
import { watchPage } from "./page";
import { initialState, type RoomState } from "./state";
import { Store } from "./store";
import { Tickets } from "./tickets";

const TICK_MS = 250;

/** Before asking again for what the server could not do at the moment. */
const RETRY_MS = 1_000;
const PASSING_REFUSALS: ReadonlySet<string> = new Set(["unavailable", "no_worker", "internal"]);

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
  private readonly tickets: Tickets;
  private readonly devices: OwnDevices;
  private readonly connection: RoomConnection;
  private readonly recovery = { receiving: new IceRecovery(), sending: new IceRecovery() };
  private sessionOf: string | null = null;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private ticks = 0;
  private stopWatching: () => void = () => undefined;

  constructor(session: Session, room: string) {
    this.tickets = new Tickets(() => session.join(room), window.location.href, now);
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
    this.stopWatching = watchPage({
      networkChanged: () => {
        this.networkChanged();
      },
      shown: () => {
        this.connection.hurry();
      },
      // The others see at once that we left, and no ghost stays.
      gone: () => {
        this.connection.close();
      },
    });
    this.ticker = setInterval(() => void this.tick(), TICK_MS);
    void this.connection.open();
  }

  /** Leave: nothing is asked, everything is let go. */
  leave(): void {
    this.stopWatching();
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
        ticket: (renew) => this.tickets.get(renew),
        isFinal: (error) => !(error instanceof ApiError && error.isTemporary),
        refused: (error) => {
          this.refused(error);
        },
        now,
        random: Math.random,
      },
    );
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

  /** The same participant: the media connections live on, and the server repeats what they missed. */
  private welcomed(participantId: string): void {
    const resumed = participantId === this.sessionOf;
    this.sessionOf = participantId;
    if (!resumed) {
      this.startMedia();
      return;
    }
    if (this.subscriber.state !== "connected") this.connection.send({ type: "restart_ice" });
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
    if (about === "subscribe" || about === "answer") {
      this.later(() => {
        this.subscribe();
      });
    }
    if (about === "publish") this.publishRefused(code);
  }

  private publishRefused(code: string): void {
    this.publisher.refused();
    if (code === "transport_not_found") void this.publisher.rebuild();
    else if (PASSING_REFUSALS.has(code)) this.later(() => void this.publisher.rebuild());
    // A decision of the server's: it takes nothing from us here.
    else void this.devices.refused();
  }

  private later(act: () => void): void {
    setTimeout(() => {
      if (this.store.get().link === "joined") act();
    }, RETRY_MS);
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

  private networkChanged(): void {
    this.connection.hurry();
    if (this.store.get().link !== "joined") return;
    this.connection.send({ type: "restart_ice" });
    void this.publisher.restartIce();
  }

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
