import { ApiError } from "../api/http";
import type { Session } from "../api/session";
import { decodableCodecs } from "../media/codecs";
import { MediaMonitor } from "../media/monitor";
import { MediaHealer } from "../media/healer";
import { Subscriber } from "../media/subscriber";
import type { ServerMessage } from "../protocol/messages";
import { ClockSync } from "./clockSync";
import { RoomConnection, type LinkState } from "./connection";
import { reduce, type RoomEvent } from "./reducer";
import { OwnMedia } from "./ownMedia";
import { watchPage } from "./page";
import { initialState, type RoomState } from "./state";
import { Store } from "./store";
import { Tickets } from "./tickets";

const TICK_MS = 250;

/** Before asking again for what the server could not do at the moment. */
const RETRY_MS = 1_000;
const now = () => performance.now();

/** One stay in one room: owns the WebSocket, both peer connections, the devices and the state the pages show. */
export class RoomClient {
  readonly store: Store<RoomState>;
  readonly clock = new ClockSync();
  readonly monitor: MediaMonitor;
  readonly subscriber: Subscriber;
  readonly own: OwnMedia;
  /** When the person asked to join, to measure how long the first picture took. */
  readonly startedMs = now();
  private readonly tickets: Tickets;
  private readonly connection: RoomConnection;
  private readonly healer = new MediaHealer(
    {
      restart: () => {
        this.connection.send({ type: "restart_ice" });
      },
      rebuild: () => {
        this.subscribe();
      },
    },
    { restart: () => void this.own.publisher.restartIce(), rebuild: () => void this.own.publisher.rebuild() },
  );
  private sessionOf: string | null = null;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private ticks = 0;
  private stopWatching: () => void = () => undefined;

  constructor(session: Session, room: string) {
    this.tickets = new Tickets(() => session.join(room), window.location.href, now);
    this.store = new Store(initialState(room));
    this.monitor = new MediaMonitor(this.store.get, this.clock, now);
    this.subscriber = this.createSubscriber();
    this.own = this.createOwnMedia();
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
        this.subscribeLater();
      },
    });
  }

  private createOwnMedia(): OwnMedia {
    return new OwnMedia({
      say: (message) => {
        this.connection.send(message);
      },
      device: (source, device) => {
        this.dispatch({ type: "device", source, device });
      },
      state: (state) => {
        this.dispatch({ type: "sending", state });
        this.heal();
      },
      later: (act) => {
        this.later(act);
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
        this.own.published(message);
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
    void this.own.publisher.resume();
  }

  private startMedia(): void {
    this.healer.reset();
    this.subscribe();
    void this.own.publisher.rebuild();
  }

  private subscribe(): void {
    this.connection.send({ type: "subscribe", codecs: decodableCodecs() });
  }

  private messageRefused(about: string | null, code: string): void {
    if (about === "restart_ice") this.subscribe();
    if (about === "subscribe" || about === "answer") {
      this.subscribeLater();
    }
    if (about === "publish") this.own.refused(code);
  }

  private subscribeLater(): void {
    this.later(() => {
      this.subscribe();
    });
  }

  private later(act: () => void): void {
    setTimeout(() => {
      if (this.store.get().link === "joined") act();
    }, RETRY_MS);
  }

  private heal(): void {
    if (this.store.get().link !== "joined") return;
    // Without tracks to receive there is nothing to connect for.
    const receiving = this.expectsMedia() ? this.subscriber.state : null;
    this.healer.look(receiving, this.own.publisher.state, now());
  }

  private expectsMedia(): boolean {
    const { tracks, me, unsupported } = this.store.get();
    return tracks.some(
      (track) => track.participant_id !== me?.participant_id && !unsupported.has(track.track_id),
    );
  }

  private networkChanged(): void {
    this.connection.hurry();
    if (this.store.get().link !== "joined") return;
    this.connection.send({ type: "restart_ice" });
    void this.own.publisher.restartIce();
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
    this.own.close();
    this.subscriber.close();
  }

  private dispatch(event: RoomEvent): void {
    this.store.set(reduce(this.store.get(), event));
  }
}
