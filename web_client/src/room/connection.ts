import type { ClientMessage, ServerMessage } from "../protocol/messages";
import { ApiError } from "../api/http";
import { parseServerMessage } from "../protocol/parse";
import { backoffMs } from "./backoff";

export const SUBPROTOCOL = "teleconsult.v1";
const PING_EVERY_MS = 5_000;
const PING_EARLY_MS = [0, 150, 400, 800];
/** Nothing heard for so long after a ping: the network is gone, even if TCP has not noticed. */
const SILENCE_LIMIT_MS = 9_000;
const GREETING_LIMIT_MS = 8_000;

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

export type LinkState = "connecting" | "joined" | "reconnecting" | "closed";

/** Where the room is and the token that opens it. Tokens travel as a subprotocol, never in the URL. */
export interface RoomTicket {
  url: string;
  token: string;
}

export interface ConnectionEvents {
  message: (message: ServerMessage) => void;
  state: (state: LinkState) => void;
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
      if (this.deps.isFinal(error)) this.refused(error);
      else this.retryLater();
    }
  }

  send(message: ClientMessage): void {
    if (this.state === "joined") this.socket?.send(JSON.stringify(message));
  }

  /** The network changed or came back: do not wait for the timers. */
  hurry(): void {
    if (this.state === "closed") return;
    if (this.socket === null && this.retryTimer !== undefined) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      void this.open();
    } else this.ping();
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
    this.lastHeardMs = this.deps.now();
    const greeting = setTimeout(() => {
      this.lost(socket);
    }, GREETING_LIMIT_MS);
    this.pingTimers = [greeting];
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "hello", resume_token: this.resumeToken } satisfies ClientMessage));
    };
    socket.onmessage = (event) => {
      if (typeof event.data === "string") this.received(event.data);
    };
    socket.onclose = () => {
      this.lost(socket);
    };
  }

  private received(text: string): void {
    const receivedMs = this.deps.now();
    this.lastHeardMs = receivedMs;
    const message = parseServerMessage(text);
    if (message === null) return;
    if (message.type === "welcome") this.welcomed(message.resume_token);
    if (message.type === "pong") {
      const sentMs = this.pingsOut.get(message.id);
      this.pingsOut.delete(message.id);
      if (sentMs !== undefined) this.events.pong(sentMs, receivedMs, message.server_time_us);
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
    this.attempt = 0;
    this.renewTicket = false;
    this.stopTimers();
    this.setState("joined");
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
    if (silent && this.socket !== null) this.lost(this.socket);
    else this.ping();
  }

  private ping(): void {
    if (this.state !== "joined") return;
    this.pingId += 1;
    this.pingsOut.set(this.pingId, this.deps.now());
    this.send({ type: "ping", id: this.pingId });
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return;
    // Turned away before the welcome: the token may be at fault.
    this.renewTicket = this.state !== "joined";
    this.dropSocket(CLOSE_WILL_RESUME);
    this.retryLater();
  }

  private retryLater(): void {
    if (this.state === "closed") return;
    this.setState("reconnecting");
    const waitMs = backoffMs(this.attempt, this.deps.random());
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
  }

  private setState(state: LinkState): void {
    if (state === this.state) return;
    this.state = state;
    this.events.state(state);
  }
}
