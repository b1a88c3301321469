import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../api/http";
import type { ServerMessage } from "../protocol/messages";
import { RoomConnection, type ConnectionDependencies } from "./connection";
import { person, welcome } from "./fixtures";

/** The browser's WebSocket, as far as the connection uses it. */
class FakeSocket {
  sent: { type: string; id?: number; resume_token?: string | null }[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readyState = 1;

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

  /** The connection ends: by default without a word, as when a network goes. */
  closes(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  hears(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function setUp(over: Partial<ConnectionDependencies> = {}) {
  const sockets: FakeSocket[] = [];
  const seen = {
    states: [] as string[],
    reasons: [] as (string | null)[],
    messages: [] as string[],
    refused: [] as unknown[],
    renewals: [] as boolean[],
  };
  const rtts: number[] = [];
  const connection = new RoomConnection(
    {
      message: (message) => seen.messages.push(message.type),
      state: (state, reason) => {
        seen.states.push(state);
        seen.reasons.push(reason);
      },
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
  first.closes();
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
  (await join(room)).closes();
  const waits: number[] = [];
  for (const wait of [200, 400, 800]) {
    const before = room.sockets.length;
    await vi.advanceTimersByTimeAsync(wait - 1);
    waits.push(room.sockets.length - before);
    await vi.advanceTimersByTimeAsync(1);
    room.socket().closes();
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
  room.socket().hears({ type: "error", code: "room_full", message: "full", about: "hello", ref: null });
  expect(room.seen.refused).toEqual([new ApiError(403, "room_full", "full")]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(room.sockets).toHaveLength(1);
});

test("an expired token is not a decision", async () => {
  const room = setUp();
  await room.connection.open();
  room.socket().hears({ type: "error", code: "token_expired", message: "", about: "hello", ref: null });
  room.socket().closes();
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

test("an attempt to come back that nobody answers is given up soon, as the network may have been going", async () => {
  const room = setUp();
  (await join(room)).closes();
  await vi.advanceTimersByTimeAsync(200);
  expect(room.sockets).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(4_000 + 400);
  expect(room.sockets).toHaveLength(3);
  expect(room.seen.renewals).toEqual([false, false, false]);
});

test("a doubt that no answer dispels gives the connection up, and the next one is made at once", async () => {
  const room = setUp();
  const first = await join(room);
  await vi.advanceTimersByTimeAsync(1_000);
  const pings = first.sent.length;
  room.connection.doubt();
  room.connection.doubt();
  expect(first.sent.slice(pings).every(({ type }) => type === "ping")).toBe(true);
  await vi.advanceTimersByTimeAsync(399);
  expect(room.sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);
  expect(room.sockets).toHaveLength(2);
  expect(first.closedWith).toBe(4000);
});

test("whatever is heard dispels a doubt", async () => {
  const room = setUp();
  const first = await join(room);
  await vi.advanceTimersByTimeAsync(1_000);
  room.connection.doubt();
  await vi.advanceTimersByTimeAsync(300);
  first.hears({ type: "pong", id: 1, server_time_us: 0 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(room.sockets).toHaveLength(1);
});

test("where the way is long, an answer may take as long", async () => {
  const room = setUp();
  const first = await join(room);
  await vi.advanceTimersByTimeAsync(1_000);
  const ping = first.sent.at(-1);
  first.hears({ type: "pong", id: ping?.id ?? 0, server_time_us: 0 });
  const roundTripMs = room.rtts.at(-1) ?? 0;
  await vi.advanceTimersByTimeAsync(100);
  room.connection.doubt();
  await vi.advanceTimersByTimeAsync(3 * roundTripMs - 1);
  expect(room.sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);
  expect(room.sockets).toHaveLength(2);
});

test("an attempt that began on another network is given up when there is a new one", async () => {
  const room = setUp();
  (await join(room)).closes();
  await vi.advanceTimersByTimeAsync(200 + 600);
  expect(room.sockets).toHaveLength(2);
  room.connection.doubt();
  await vi.advanceTimersByTimeAsync(0);
  expect(room.sockets).toHaveLength(3);
});

test("when the network returns it does not wait for its turn", async () => {
  const room = setUp();
  const first = await join(room);
  for (let n = 0; n < 5; n += 1) {
    room.socket().closes();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(first).not.toBe(room.socket());
  room.socket().closes();
  const before = room.sockets.length;
  room.connection.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(room.sockets).toHaveLength(before + 1);
});

test("in the lobby it is patient, keeps the line alive and says nothing but that", async () => {
  const room = setUp();
  await room.connection.open();
  const socket = room.socket();
  socket.onopen?.();
  socket.hears({ type: "waiting", participant: person("me"), room: "demo", site: "", server_time_us: 0 });
  expect(room.connection.send({ type: "chat", ref: "r", text: "let me in" })).toBe(false);
  expect(room.connection.send({ type: "renew", token: "t" })).toBe(true);
  for (let n = 0; n < 12; n += 1) {
    await vi.advanceTimersByTimeAsync(5_000);
    for (const { id } of socket.sent.filter((message) => message.type === "ping")) {
      socket.hears({ type: "pong", id: id ?? 0, server_time_us: 0 });
    }
  }
  expect(room.seen.states).toEqual(["waiting"]);
  socket.hears(welcome());
  expect(room.seen.states).toEqual(["waiting", "joined"]);
});

test("losing the network in the lobby is no reason for a new token", async () => {
  const room = setUp();
  await room.connection.open();
  room
    .socket()
    .hears({ type: "waiting", participant: person("me"), room: "demo", site: "", server_time_us: 0 });
  room.socket().closes();
  await vi.advanceTimersByTimeAsync(200);
  expect(room.seen.renewals).toEqual([false, false]);
});

test("a token that ended is renewed at once, and the place is taken again", async () => {
  const room = setUp();
  (await join(room)).closes(4401, "token_expired");
  expect(room.seen.reasons.at(-1)).toBe("token");
  await vi.advanceTimersByTimeAsync(200);
  expect(room.seen.renewals).toEqual([false, true]);
  room.socket().onopen?.();
  expect(room.socket().sent[0]).toEqual({ type: "hello", resume_token: "resume-1" });
});

test.each([
  [4403, "removed", "removed"],
  [4403, "turned_away", "turned_away"],
  [4403, "", "forbidden"],
  [4404, "", "not_found"],
  [4409, "", "resumed_elsewhere"],
  [4410, "taken over", "taken_over"],
])("closed with %i %s, nobody comes back by trying again", async (code, reason, expected) => {
  const room = setUp();
  (await join(room)).closes(code, reason);
  expect(room.seen.refused).toEqual([new ApiError(403, expected, "")]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(room.sockets).toHaveLength(1);
});

test.each([
  [1001, "restarting", 200],
  [4408, "too-slow", 200],
  [4429, "flood", 5_000],
  [1006, "network", 200],
])("closed with %i it comes back, says why (%s), and waits %i ms first", async (code, reason, waitMs) => {
  const room = setUp();
  (await join(room)).closes(code);
  expect(room.seen.reasons.at(-1)).toBe(reason);
  await vi.advanceTimersByTimeAsync(waitMs - 1);
  expect(room.sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);
  expect(room.sockets).toHaveLength(2);
});

test("what could not be said is known not to have been said", async () => {
  const room = setUp();
  const socket = await join(room);
  expect(room.connection.send({ type: "take_over" })).toBe(true);
  socket.readyState = 2;
  expect(room.connection.send({ type: "take_over" })).toBe(false);
  socket.closes();
  expect(room.connection.send({ type: "take_over" })).toBe(false);
});

test("a refusal that comes after leaving is nobody's business any more", async () => {
  let refuse: (error: unknown) => void = () => undefined;
  const room = setUp({
    ticket: () =>
      new Promise((_, reject) => {
        refuse = reject;
      }),
  });
  const opening = room.connection.open();
  room.connection.close();
  refuse(new ApiError(403, "not_granted", ""));
  await opening;
  expect(room.seen.refused).toEqual([]);
});
