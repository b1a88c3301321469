import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../api/http";
import type { ServerMessage } from "../protocol/messages";
import { RoomConnection, type ConnectionDependencies } from "./connection";
import { welcome } from "./fixtures";

/** The browser's WebSocket, as far as the connection uses it. */
class FakeSocket {
  sent: { type: string; id?: number; resume_token?: string | null }[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  hears(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function setUp(over: Partial<ConnectionDependencies> = {}) {
  const sockets: FakeSocket[] = [];
  const seen = {
    states: [] as string[],
    messages: [] as string[],
    refused: [] as unknown[],
    renewals: [] as boolean[],
  };
  const rtts: number[] = [];
  const connection = new RoomConnection(
    {
      message: (message) => seen.messages.push(message.type),
      state: (state) => seen.states.push(state),
      pong: (sentMs, receivedMs) => rtts.push(receivedMs - sentMs),
    },
    {
      openSocket: (url, protocols) => {
        const socket = new FakeSocket(url, protocols);
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      ticket: (renew) => {
        seen.renewals.push(renew);
        return Promise.resolve({ url: "wss://h.example/ws?room=demo", token: "jwt" });
      },
      isFinal: (error) => error instanceof ApiError && !error.isTemporary,
      refused: (error) => seen.refused.push(error),
      now: () => Date.now(),
      random: () => 1,
      ...over,
    },
  );
  const socket = () => sockets.at(-1) ?? expect.fail("no socket was opened");
  return { connection, sockets, socket, seen, rtts };
}

async function join(room: ReturnType<typeof setUp>): Promise<FakeSocket> {
  await room.connection.open();
  const socket = room.socket();
  socket.onopen?.();
  socket.hears(welcome());
  return socket;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the token travels as a subprotocol, never in the URL", async () => {
  const room = setUp();
  await room.connection.open();
  expect(room.socket().protocols).toEqual(["teleconsult.v1", "token.jwt"]);
  expect(room.socket().url).not.toContain("jwt");
});

test("it greets first, and says nothing more before the welcome", async () => {
  const room = setUp();
  await room.connection.open();
  room.socket().onopen?.();
  room.connection.send({ type: "unpublish" });
  expect(room.socket().sent).toEqual([{ type: "hello", resume_token: null }]);
  room.socket().hears(welcome());
  room.connection.send({ type: "unpublish" });
  expect(room.socket().sent.at(-1)).toEqual({ type: "unpublish" });
  expect(room.seen.states).toEqual(["joined"]);
});

test("a lost connection comes back with the resume token and keeps its place at the server", async () => {
  const room = setUp();
  const first = await join(room);
  first.onclose?.();
  expect(room.seen.states.at(-1)).toBe("reconnecting");
  expect(first.closedWith).not.toBe(1000);
  await vi.advanceTimersByTimeAsync(200);
  expect(room.sockets).toHaveLength(2);
  room.socket().onopen?.();
  expect(room.socket().sent[0]).toEqual({ type: "hello", resume_token: "resume-1" });
  expect(room.seen.renewals).toEqual([false, false]);
});

test("when the token at hand did not open the door, a new one is asked for, with growing patience", async () => {
  const room = setUp();
  (await join(room)).onclose?.();
  const waits: number[] = [];
  for (const wait of [200, 400, 800]) {
    const before = room.sockets.length;
    await vi.advanceTimersByTimeAsync(wait - 1);
    waits.push(room.sockets.length - before);
    await vi.advanceTimersByTimeAsync(1);
    room.socket().onclose?.();
  }
  expect(waits).toEqual([0, 0, 0]);
  expect(room.seen.renewals).toEqual([false, false, true, true]);
});

test("leaving says goodbye for good", async () => {
  const room = setUp();
  const socket = await join(room);
  room.connection.close();
  expect(socket.closedWith).toBe(1000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(room.sockets).toHaveLength(1);
});

test("a silent network is noticed though the socket says nothing", async () => {
  const room = setUp();
  await join(room);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(room.seen.states.slice(0, 2)).toEqual(["joined", "reconnecting"]);
});

test("answered pings keep it, and measure the round trip", async () => {
  const room = setUp();
  const socket = await join(room);
  let answered = 0;
  for (let ms = 0; ms < 60_000; ms += 40) {
    await vi.advanceTimersByTimeAsync(40);
    for (const { id } of socket.sent.filter((message) => message.type === "ping").slice(answered)) {
      answered += 1;
      socket.hears({ type: "pong", id: id ?? 0, server_time_us: 0 });
    }
  }
  expect(room.seen.states).toEqual(["joined"]);
  expect(answered).toBeGreaterThan(10);
  expect(Math.max(...room.rtts)).toBeLessThanOrEqual(40);
});

test("a page that was woken after an hour asks before it gives up", async () => {
  const room = setUp();
  const socket = await join(room);
  await vi.advanceTimersByTimeAsync(1_000);
  for (const { id } of socket.sent.filter((message) => message.type === "ping")) {
    socket.hears({ type: "pong", id: id ?? 0, server_time_us: 0 });
  }
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(room.seen.states).toEqual(["joined"]);
});

test("a decision of the server's ends it, with the reason", async () => {
  const room = setUp();
  await room.connection.open();
  room.socket().hears({ type: "error", code: "room_full", message: "full", about: "hello" });
  expect(room.seen.refused).toEqual([new ApiError(403, "room_full", "full")]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(room.sockets).toHaveLength(1);
});

test("an expired token is not a decision", async () => {
  const room = setUp();
  await room.connection.open();
  room.socket().hears({ type: "error", code: "token_expired", message: "", about: "hello" });
  room.socket().onclose?.();
  await vi.advanceTimersByTimeAsync(200);
  expect(room.seen.renewals).toEqual([false, true]);
  expect(room.seen.refused).toEqual([]);
});

test("a server that is out of reach is asked again, one that says no is not", async () => {
  const errors = [new ApiError(0, "offline", ""), new ApiError(404, "not_found", "")];
  const refused: unknown[] = [];
  const room = setUp({
    ticket: () => Promise.reject(errors.shift() ?? new Error("asked too often")),
    refused: (error) => refused.push(error),
  });
  await room.connection.open();
  expect(refused).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(refused).toEqual([new ApiError(404, "not_found", "")]);
});

test("a greeting that is never answered is given up", async () => {
  const room = setUp();
  await room.connection.open();
  room.socket().onopen?.();
  await vi.advanceTimersByTimeAsync(8_300);
  expect(room.sockets).toHaveLength(2);
});

test("when the network returns it does not wait for its turn", async () => {
  const room = setUp();
  const first = await join(room);
  for (let n = 0; n < 5; n += 1) {
    room.socket().onclose?.();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(first).not.toBe(room.socket());
  room.socket().onclose?.();
  const before = room.sockets.length;
  room.connection.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(room.sockets).toHaveLength(before + 1);
});
