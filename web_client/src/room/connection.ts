import type { ClientMessage, ServerMessage } from "../protocol/messages";
import { parseServerMessage } from "../protocol/parse";
import { backoffMs } from "./backoff";

export const SUBPROTOCOL = "teleconsult.v1";
const PING_EVERY_MS = 5_000;
const PING_EARLY_MS = [0, 150, 400, 800];
/** Nothing heard for so long after a ping: the network is gone, even if TCP has not noticed. */
const SILENCE_LIMIT_MS = 9_000;
const GREETING_LIMIT_MS = 8_000;

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
  /** Called before every attempt; throws what `isFinal` knows when there is no way back in. */
  ticket: (attempt: number) => Promise<RoomTicket>;
  isFinal: (error: unknown) => boolean;
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
      const ticket = await this.deps.ticket(this.attempt);
      if (this.state === "closed") return;
      this.connect(ticket);
    } catch (error) {
      if (this.deps.isFinal(error)) {
        this.close();
        this.deps.refused(error);
      } else this.retryLater();
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

  /** Forget the session: the next greeting starts a new one. */
  close(): void {
    this.setState("closed");
    clearTimeout(this.retryTimer);
    this.dropSocket();
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
    if (message.type === "error" && message.about === "hello") this.resumeToken = null;
    this.events.message(message);
    if (message.type === "consultation_ended") this.close();
  }

  private welcomed(resumeToken: string): void {
    this.resumeToken = resumeToken;
    this.attempt = 0;
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
    this.dropSocket();
    if (this.state !== "closed") this.retryLater();
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

  private dropSocket(): void {
    this.stopTimers();
    this.pingsOut.clear();
    const { socket } = this;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
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
