import type { ClientMessage, ServerMessage } from "../protocol/messages";
import { ApiError } from "../api/http";
import { parseServerMessage } from "../protocol/parse";
import { backoffMs } from "./backoff";
import { readClosing, type LostReason } from "./closing";

export const SUBPROTOCOL = "teleconsult.v1";
const PING_EVERY_MS = 5_000;
const PING_EARLY_MS = [0, 150, 400, 800];
/** Nothing heard for so long after a ping: the network is gone, even if TCP has not noticed. */
const SILENCE_LIMIT_MS = 9_000;
const GREETING_LIMIT_MS = 8_000;
/** The first attempt to come back is given up sooner: its network may have been going just then. The next ones later. */
const FIRST_RESUME_LIMIT_MS = 2_000;
/** So much time an attempt is given although there is another network now. */
const GIVEN_TO_CONNECT_MS = 500;
/** Nothing heard for so long after it was asked for on a doubt: the network is gone. */
const DOUBT_LIMIT_MS = 400;
/** As many round trips are given in any case. */
const DOUBT_ROUND_TRIPS = 3;
/** `WebSocket.OPEN`; beyond it the socket is closing and takes nothing. */
const SOCKET_OPEN = 1;

/** Goodbye for good (RFC 6455 §7.4.1): the server lets go of everything at once. */
const CLOSE_LEFT = 1000;
/** Any other code: the server keeps our place for the resume token. */
const CLOSE_WILL_RESUME = 4000;

/** Refusals of the greeting that a new token or a little patience may overcome; all others are decisions. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set([
  "unauthorized",
  "token_expired",
  "token_invalid",
  "token_revoked",
  "unavailable",
  "no_worker",
]);

export type { LostReason } from "./closing";

/** `waiting`: in the lobby, where nothing is taken but pings and a fresh token. */
export type LinkState = "connecting" | "waiting" | "joined" | "reconnecting" | "closed";

const TAKEN_WHILE_WAITING: ReadonlySet<ClientMessage["type"]> = new Set(["ping", "renew"]);

/** Where the room is and the token that opens it. Tokens travel as a subprotocol, never in the URL. */
export interface RoomTicket {
  url: string;
  token: string;
}

export interface ConnectionEvents {
  message: (message: ServerMessage) => void;
  /** `reason`: why it is being made again. */
  state: (state: LinkState, reason: LostReason | null) => void;
  /** A round trip was measured; local times in `performance.now()` ms. */
  pong: (sentMs: number, receivedMs: number, serverTimeUs: number) => void;
}

export interface ConnectionDependencies {
  openSocket: (url: string, protocols: string[]) => WebSocket;
  /** Called before every attempt, `renew` when the token at hand did not help; throws when there is no way in. */
  ticket: (renew: boolean) => Promise<RoomTicket>;
  isFinal: (error: unknown) => boolean;
  /** There is no way in; the connection is closed for good. */
  refused: (error: unknown) => void;
  now: () => number;
  random: () => number;
}

/**
 * The room's WebSocket, kept alive: greets, pings, notices silence, comes back with its resume token.
 */
export class RoomConnection {
  private socket: WebSocket | null = null;
  private state: LinkState = "connecting";
  private attempt = 0;
  private renewTicket = false;
  private resumeToken: string | null = null;
  private lastHeardMs = 0;
  private pingId = 0;
  private pingsOut = new Map<number, number>();
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private doubtTimer: ReturnType<typeof setTimeout> | undefined;
  private roundTripMs = 0;
  private connectingMs = 0;
  private pingTimers: ReturnType<typeof setTimeout>[] = [];

  constructor(
    private readonly events: ConnectionEvents,
    private readonly deps: ConnectionDependencies,
  ) {}

  async open(): Promise<void> {
    try {
      const ticket = await this.deps.ticket(this.renewTicket);
      if (this.state === "closed") return;
      this.connect(ticket);
    } catch (error) {
      // Left meanwhile: nobody waits for an answer, and another stay may have begun.
      if (this.state === "closed") return;
      if (this.deps.isFinal(error)) this.refused(error);
      else this.retryLater("network", 0);
    }
  }

  /** Returns false when it could not be sent now: then it is not sent later either. */
  send(message: ClientMessage): boolean {
    const taken =
      this.state === "joined" || (this.state === "waiting" && TAKEN_WHILE_WAITING.has(message.type));
    if (!taken || this.socket === null || this.socket.readyState > SOCKET_OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** The network changed or came back: do not wait for the timers. */
  hurry(): void {
    if (this.state === "closed") return;
    if (this.socket === null && this.retryTimer !== undefined) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      void this.open();
    } else if (this.socket !== null && !this.isEntered) this.startOver(this.socket);
    else this.ping();
  }

  /** An attempt that began on another network leads nowhere. */
  private startOver(socket: WebSocket): void {
    const sinceMs = this.deps.now() - this.connectingMs;
    if (sinceMs > GIVEN_TO_CONNECT_MS) this.lost(socket, "network", false, null);
  }

  /**
   * Something suggests that the network is gone or another one. Whoever does not answer now is taken for gone, and is
   * not waited for: TCP would take seconds to notice.
   */
  doubt(): void {
    this.hurry();
    const { socket } = this;
    if (!this.isEntered || socket === null || this.doubtTimer !== undefined) return;
    const askedMs = this.deps.now();
    const limitMs = Math.max(DOUBT_LIMIT_MS, DOUBT_ROUND_TRIPS * this.roundTripMs);
    this.doubtTimer = setTimeout(() => {
      this.doubtTimer = undefined;
      if (this.lastHeardMs < askedMs) this.lost(socket, "network", false, null);
    }, limitMs);
  }

  /** Leave for good. */
  close(): void {
    this.setState("closed");
    clearTimeout(this.retryTimer);
    this.dropSocket(CLOSE_LEFT);
  }

  private refused(error: unknown): void {
    this.close();
    this.deps.refused(error);
  }

  private connect({ url, token }: RoomTicket): void {
    const socket = this.deps.openSocket(url, [SUBPROTOCOL, `token.${token}`]);
    this.socket = socket;
    this.lastHeardMs = this.connectingMs = this.deps.now();
    const greeting = setTimeout(() => {
      this.lost(socket, "network", false, 0);
    }, this.greetingLimitMs);
    this.pingTimers = [greeting];
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "hello", resume_token: this.resumeToken } satisfies ClientMessage));
    };
    socket.onmessage = (event) => {
      if (typeof event.data === "string") this.received(event.data);
    };
    socket.onclose = ({ code, reason }) => {
      this.closedByPeer(socket, code, reason);
    };
  }

  private get greetingLimitMs(): number {
    if (this.resumeToken === null) return GREETING_LIMIT_MS;
    return Math.min(GREETING_LIMIT_MS, FIRST_RESUME_LIMIT_MS * 2 ** this.attempt);
  }

  private closedByPeer(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.socket) return;
    const closing = readClosing(code, reason);
    if (closing.over) this.refused(new ApiError(403, closing.code, ""));
    // Turned away before the welcome: the token may be at fault.
    else this.lost(socket, closing.reason, closing.renew || !this.isEntered, closing.waitMs);
  }

  private received(text: string): void {
    const receivedMs = this.deps.now();
    this.lastHeardMs = receivedMs;
    const message = parseServerMessage(text);
    if (message === null) return;
    if (message.type === "welcome") this.welcomed(message.resume_token);
    if (message.type === "waiting") this.entered("waiting");
    if (message.type === "pong") {
      const sentMs = this.pingsOut.get(message.id);
      this.pingsOut.delete(message.id);
      if (sentMs === undefined) return;
      this.roundTripMs = receivedMs - sentMs;
      this.events.pong(sentMs, receivedMs, message.server_time_us);
      return;
    }
    if (message.type === "error" && message.about === "hello" && !PASSING_REFUSALS.has(message.code)) {
      this.refused(new ApiError(403, message.code, message.message));
      return;
    }
    this.events.message(message);
    if (message.type === "consultation_ended") this.close();
  }

  private welcomed(resumeToken: string): void {
    this.resumeToken = resumeToken;
    this.entered("joined");
  }

  private entered(state: "waiting" | "joined"): void {
    this.attempt = 0;
    this.renewTicket = false;
    this.stopTimers();
    this.setState(state);
    const early = PING_EARLY_MS.map((delay) =>
      setTimeout(() => {
        this.ping();
      }, delay),
    );
    const steady = setInterval(() => {
      this.watch();
    }, PING_EVERY_MS);
    this.pingTimers = [...early, steady];
  }

  private watch(): void {
    // A page in the background may be woken rarely: silence counts from a ping that nothing followed.
    const unanswered = [...this.pingsOut.values()].find((sentMs) => sentMs >= this.lastHeardMs);
    const silent = unanswered !== undefined && this.deps.now() - unanswered > SILENCE_LIMIT_MS;
    if (silent && this.socket !== null) this.lost(this.socket, "network", false, 0);
    else this.ping();
  }

  private ping(): void {
    if (!this.isEntered) return;
    this.pingId += 1;
    this.pingsOut.set(this.pingId, this.deps.now());
    this.send({ type: "ping", id: this.pingId });
  }

  private get isEntered(): boolean {
    return this.state === "joined" || this.state === "waiting";
  }

  /** `waitMs`: before the next attempt, at least; null: none at all. */
  private lost(socket: WebSocket, reason: LostReason, renew: boolean, waitMs: number | null): void {
    if (socket !== this.socket) return;
    this.renewTicket = renew;
    this.dropSocket(CLOSE_WILL_RESUME);
    this.retryLater(reason, waitMs);
  }

  private retryLater(reason: LostReason, atLeastMs: number | null): void {
    if (this.state === "closed") return;
    this.setState("reconnecting", reason);
    const waitMs = atLeastMs === null ? 0 : Math.max(atLeastMs, backoffMs(this.attempt, this.deps.random()));
    this.attempt += 1;
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined;
      void this.open();
    }, waitMs);
  }

  private dropSocket(code: number): void {
    this.stopTimers();
    this.pingsOut.clear();
    const { socket } = this;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  private stopTimers(): void {
    for (const timer of this.pingTimers) clearTimeout(timer);
    this.pingTimers = [];
    clearTimeout(this.doubtTimer);
    this.doubtTimer = undefined;
  }

  private setState(state: LinkState, reason: LostReason | null = null): void {
    if (state === this.state) return;
    this.state = state;
    this.events.state(state, reason);
  }
}
