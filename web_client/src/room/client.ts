import { ApiError } from "../api/http";
import type { Session } from "../api/session";
import type { MediaMonitor } from "../media/monitor";
import type { Subscriber } from "../media/subscriber";
import type { ClientMessage, ServerMessage } from "../protocol/messages";
import { deskOf, type ChatDesk } from "./chatDesk";
import { ClockSync } from "./clockSync";
import { RoomConnection, type LinkState, type LostReason } from "./connection";
import { otherSeats } from "./feeds";
import { HostWishes } from "./hostWishes";
import { KeptHeads } from "./keptHeads";
import { tabDesk } from "./opinionDesk";
import type { OwnMedia } from "./ownMedia";
import { watchPage } from "./page";
import { PictureShelf } from "./pictureShelf";
import { reduce, type RoomEvent } from "./reducer";
import { Renewal } from "./renewal";
import { RoomFiles } from "./roomFiles";
import { RoomMedia } from "./roomMedia";
import { endingOf, initialState, type RoomState } from "./state";
import { Store } from "./store";
import { Tickets } from "./tickets";
import type { Viewing } from "./viewing";

const TICK_MS = 250;
/** How often is looked whether anything arrives. */
const LOOK_MS = 125;

const now = () => performance.now();

/** One stay in one room: owns the WebSocket, the media, the chat and the state the pages show. */
export class RoomClient {
  readonly store: Store<RoomState>;
  readonly clock = new ClockSync();
  readonly files: RoomFiles;
  readonly pictures: PictureShelf;
  readonly chat: ChatDesk;
  readonly opinion = tabDesk((message) => this.say(message));
  readonly hosting: HostWishes;
  /** When the person asked to join, to measure how long the first picture took. */
  readonly startedMs = now();
  private readonly heads = new KeptHeads(() => window.localStorage);
  readonly media: RoomMedia;
  private readonly tickets: Tickets;
  private readonly connection: RoomConnection;
  private readonly renewal: Renewal;
  private sessionOf: string | null = null;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private looker: ReturnType<typeof setInterval> | undefined;
  private ticks = 0;
  private stopWatching: () => void = () => undefined;

  constructor(session: Pick<Session, "join">, room: string) {
    this.tickets = new Tickets(() => session.join(room), window.location.href, now);
    this.store = new Store(initialState(room));
    this.hosting = new HostWishes(this.store, (message) => this.say(message));
    this.connection = this.createConnection();
    const token = async (renew: boolean) => (await this.tickets.get(renew)).token;
    this.media = new RoomMedia({
      stills: new RoomFiles({ room, token, folder: "stills" }),
      state: this.store.get,
      clock: this.clock,
      dispatch: (event) => {
        this.dispatch(event);
      },
      say: (message) => this.say(message),
      doubt: () => {
        this.connection.doubt();
      },
      now,
    });
    this.renewal = new Renewal({
      fetch: () => token(true),
      say: (fresh) => this.say({ type: "renew", token: fresh }),
    });
    this.files = new RoomFiles({ room, token });
    this.pictures = new PictureShelf((file) => this.files.read(file));
    this.chat = deskOf(session, room);
  }

  get monitor(): MediaMonitor {
    return this.media.monitor;
  }

  get subscriber(): Subscriber {
    return this.media.subscriber;
  }

  get viewing(): Viewing {
    return this.media.viewing;
  }

  get own(): OwnMedia {
    return this.media.own;
  }

  start(): void {
    this.chat.attach({
      say: (message) => this.say(message),
      upload: (...upload) => this.files.upload(...upload),
    });
    this.dispatch({ type: "online", online: navigator.onLine });
    this.stopWatching = watchPage({
      networkChanged: () => {
        this.dispatch({ type: "online", online: true });
        this.networkChanged();
      },
      networkGone: () => {
        this.dispatch({ type: "online", online: false });
      },
      shown: () => {
        this.hurry();
      },
      // The others see at once that we left, and no ghost stays.
      gone: () => {
        this.connection.close();
      },
    });
    this.ticker = setInterval(() => void this.tick(), TICK_MS);
    this.looker = setInterval(() => void this.media.look(), LOOK_MS);
    void this.connection.open();
  }

  /** Leave: nothing is asked, everything is let go. */
  leave(): void {
    this.stopWatching();
    clearInterval(this.ticker);
    clearInterval(this.looker);
    this.connection.close();
    this.letGo();
    this.pictures.clear();
  }

  /** Returns false when the room is away: nothing is kept for later. */
  say(message: ClientMessage): boolean {
    return this.connection.send(message);
  }

  setPaused(paused: boolean): void {
    this.hosting.setPaused(paused);
  }

  /** Try to come back now instead of at the next turn. */
  hurry(): void {
    this.connection.hurry();
  }

  /** The person's seats in other windows stay, and nothing more is said about them. */
  keepOtherSeats(): void {
    const seats = otherSeats(this.store.get()).map((one) => one.participant_id);
    this.dispatch({ type: "seats-kept", seats });
  }

  /** The person clicked to hear: everything that plays tries again. */
  hear(): void {
    this.dispatch({ type: "hear" });
  }

  soundBlocked(blocked: boolean): void {
    this.dispatch({ type: "sound", blocked });
  }

  private createConnection(): RoomConnection {
    return new RoomConnection(
      {
        message: (message) => {
          this.received(message);
        },
        state: (state, reason) => {
          this.linkChanged(state, reason);
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
    this.dispatch({ type: "ending", ending: endingOf(code, detail) });
    this.letGo();
  }

  private linkChanged(state: LinkState, reason: LostReason | null): void {
    if (state === "reconnecting") this.clock.reset();
    if (state !== "joined") {
      this.chat.outbox.pause();
      this.media.controlling.away();
    }
    this.dispatch({ type: "link", state, reason, nowMs: now() });
  }

  private received(message: ServerMessage): void {
    if (message.type === "welcome" || message.type === "waiting") {
      this.clock.seed(now(), message.server_time_us);
    }
    this.dispatch({ type: "message", message, nowMs: now() });
    if (this.store.get().ending !== null) {
      this.connection.close();
      this.letGo();
      return;
    }
    switch (message.type) {
      case "welcome":
        this.welcomed(message);
        break;
      case "waiting":
        this.waitsForHost(message.server_time_us);
        break;
      case "chat_added":
        this.chat.added(message.entry);
        break;
      case "renewed":
        this.renewal.expires(message.token_expires_at_us, this.clock.serverTimeUs(now()) ?? 0);
        this.media.relays.told(message.ice_servers);
        break;
      case "archive_head":
        this.heads.keep(message);
        break;
      case "error":
        if (message.about === "chat") this.chat.outbox.refused(message.code);
        if (message.about === "renew") this.renewal.refused(now());
        break;
      default:
    }
    this.opinion.received(message);
    this.media.received(message);
  }

  private welcomed(welcome: Extract<ServerMessage, { type: "welcome" }>): void {
    this.renewal.expires(welcome.token_expires_at_us, welcome.server_time_us);
    this.media.relays.told(welcome.ice_servers);
    this.chat.joined(welcome.participant, welcome.chat);
    this.hosting.repeatPause();
    this.own.begin();
    const { participant_id: participantId } = welcome.participant;
    if (participantId === this.sessionOf) this.media.resume();
    else this.media.enter();
    this.sessionOf = participantId;
    this.viewing.repeat();
  }

  /** Somebody may wait in the lobby for longer than a token lives; the server does not say there when it ends. */
  private waitsForHost(serverTimeUs: number): void {
    const { leftMs } = this.tickets;
    this.renewal.expires(leftMs === null ? null : serverTimeUs + leftMs * 1000, serverTimeUs);
  }

  private networkChanged(): void {
    this.connection.doubt();
    if (this.store.get().link === "joined") this.media.networkChanged();
  }

  private async tick(): Promise<void> {
    this.ticks += 1;
    this.media.heal();
    this.renewal.look(this.clock.serverTimeUs(now()), now());
    // Nothing may keep a picture that stopped from being called so: not statistics that fail or never come.
    this.monitor.publish();
    this.dispatch({ type: "tick", nowMs: now() });
    if (this.ticks % 2 !== 0) return;
    try {
      await this.media.readStats();
    } catch {
      // Closed meanwhile; the next turn asks the connection there is by then.
    }
  }

  private letGo(): void {
    this.chat.detach();
    this.media.close();
  }

  private dispatch(event: RoomEvent): void {
    this.store.set(reduce(this.store.get(), event));
  }
}
