// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../api/http";
import type { JoinedRoom } from "../api/session";
import type { ServerMessage } from "../protocol/messages";
import { RoomClient } from "./client";
import { entry, person, track, welcome } from "./fixtures";

/** The browser's WebSocket, as far as a stay uses it. */
class FakeSocket {
  static all: FakeSocket[] = [];
  sent: { type: string; [key: string]: unknown }[] = [];
  readyState = 1;
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  hears(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  types(): string[] {
    return this.sent.map(({ type }) => type);
  }
}

let joins: number;
let refuse: ApiError | null;
let client: RoomClient;

const join = (): Promise<JoinedRoom> => {
  joins += 1;
  if (refuse !== null) return Promise.reject(refuse);
  const token = `token-${joins}`;
  return Promise.resolve({ token, expires_in: 600, room: "demo", consultation_id: "c", ws_url: "/ws" });
};

const socket = () => FakeSocket.all.at(-1) ?? expect.fail("no socket was opened");
const me = person("me", { person: "u_me", host: true });

/** In the room; the server's clock begins at 0. */
async function enter(over: Parameters<typeof welcome>[0] = {}): Promise<FakeSocket> {
  await vi.advanceTimersByTimeAsync(0);
  const now = socket();
  now.onopen?.();
  now.hears(
    welcome({ participant: me, participants: [me], tracks: [], host: true, server_time_us: 0, ...over }),
  );
  return now;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => ({ codecs: [] }) });
  FakeSocket.all = [];
  joins = 0;
  refuse = null;
  client = new RoomClient({ join }, "demo");
  client.start();
});
afterEach(() => {
  client.leave();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the token is renewed in time, and the connection stays", async () => {
  const room = await enter({ token_expires_at_us: 600_000_000 });
  for (let s = 0; s < 505; s += 5) {
    await vi.advanceTimersByTimeAsync(5_000);
    room.hears({ type: "pong", id: 0, server_time_us: 0 });
  }
  expect(room.types()).not.toContain("renew");
  await vi.advanceTimersByTimeAsync(6_000);
  expect(room.sent.filter(({ type }) => type === "renew")).toEqual([{ type: "renew", token: "token-2" }]);
  expect(FakeSocket.all).toHaveLength(1);
});

test("what the server says of the archive is kept in this browser", async () => {
  const room = await enter();
  room.hears({ type: "archive_head", head: null, checkpoint: "log\n1\nroot\n", at_us: 7 });
  expect(window.localStorage.getItem("teleconsult.heads")).toBe(
    '{"head":null,"checkpoint":"log\\n1\\nroot\\n","at_us":7}\n',
  );
});

test("who waits in the lobby for long is renewed, too", async () => {
  await vi.advanceTimersByTimeAsync(0);
  const room = socket();
  room.onopen?.();
  room.hears({ type: "waiting", participant: me, room: "demo", site: "Clinic", server_time_us: 0 });
  for (let s = 0; s < 520; s += 5) {
    await vi.advanceTimersByTimeAsync(5_000);
    room.hears({ type: "pong", id: 0, server_time_us: 0 });
    if (room.types().includes("renew"))
      room.hears({ type: "renewed", token_expires_at_us: 1_100_000_000, ice_servers: [] });
  }
  expect(room.types().filter((type) => type !== "ping")).toEqual(["hello", "renew"]);
});

test("a privacy pause asked for while the connection is away is not forgotten", async () => {
  const first = await enter();
  first.onclose?.({ code: 1006, reason: "" });
  client.setPaused(true);
  expect(client.store.get().pauseAsked).toBe(true);
  await vi.advanceTimersByTimeAsync(300);
  const second = await enter();
  expect(second.sent).toContainEqual({ type: "set_paused", paused: true });
  second.hears({ type: "paused_changed", paused: true, by: "Li", at_us: 1 });
  expect(client.store.get()).toMatchObject({ pauseAsked: null, pausedBy: "Li" });
});

test("a pause that came about meanwhile is not asked for again", async () => {
  const first = await enter();
  first.onclose?.({ code: 1006, reason: "" });
  client.setPaused(true);
  await vi.advanceTimersByTimeAsync(300);
  const paused = { ...welcome().consultation, paused: true };
  const second = await enter({ consultation: paused });
  expect(second.types()).not.toContain("set_paused");
  expect(client.store.get().pauseAsked).toBeNull();
});

test("a message written without a connection is sent once it is back, and once only", async () => {
  const first = await enter();
  client.chat.draft.set("hello");
  client.chat.send();
  await vi.advanceTimersByTimeAsync(0);
  const [said] = first.sent.filter(({ type }) => type === "chat");
  first.onclose?.({ code: 1006, reason: "" });
  expect(client.chat.outbox.store.get()).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(300);
  const arrived = entry("c1", { ref: String(said?.["ref"]), person: "u_me" });
  const second = await enter({ chat: [arrived] });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(second.types()).not.toContain("chat");
  expect(client.chat.outbox.store.get()).toEqual([]);
});

test.each([
  [4410, "taken_over", "taken-over"],
  [4403, "removed", "removed"],
  [4403, "turned_away", "turned-away"],
])("closed with %i %s the stay ends with its own words", async (code, reason, kind) => {
  (await enter()).onclose?.({ code, reason });
  expect(client.store.get().ending?.kind).toBe(kind);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.all).toHaveLength(1);
});

test("the end of the consultation is said goodbye to, not come back from", async () => {
  const room = await enter();
  room.hears({ type: "consultation_ended" });
  expect(client.store.get().ending).toEqual({ kind: "consultation-ended" });
  expect(room.closedWith).toBe(1000);
});

test("a token that ended, and a sign-in that is over with it, is explained", async () => {
  const room = await enter();
  refuse = new ApiError(401, "session_expired", "");
  room.onclose?.({ code: 4401, reason: "token_expired" });
  await vi.advanceTimersByTimeAsync(300);
  expect(client.store.get().ending).toEqual({ kind: "refused", code: "session_expired", detail: "" });
});

test("without a network the page says so, and tries at once when there is one", async () => {
  const room = await enter();
  window.dispatchEvent(new Event("offline"));
  expect(client.store.get().online).toBe(false);
  room.onclose?.({ code: 1006, reason: "" });
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(client.store.get().online).toBe(true);
  expect(FakeSocket.all).toHaveLength(2);
});

test("other seats that are kept are not asked about again, new ones are", async () => {
  const tablet = person("tablet", { person: "u_me" });
  const room = await enter({ participants: [me, tablet] });
  client.keepOtherSeats();
  expect([...client.store.get().keptSeats]).toEqual(["tablet"]);
  room.hears({ type: "participant_joined", participant: person("phone", { person: "u_me" }) });
  expect(client.store.get().keptSeats.has("phone")).toBe(false);
});

test("a picture that stopped is called so, even when the browser's statistics fail or never come", async () => {
  await enter({ tracks: [track("u")] });
  const { monitor, subscriber } = client;
  vi.spyOn(subscriber, "getStats").mockRejectedValue(new Error("closed"));
  monitor.frameShown("u", null, performance.now());
  const status = () => monitor.readings.get().feeds.get("u")?.status;
  expect(status()).toBe("live");
  await vi.advanceTimersByTimeAsync(1_250);
  expect(status()).not.toBe("live");
  monitor.frameShown("u", null, performance.now());
  vi.spyOn(subscriber, "getStats").mockReturnValue(new Promise(() => undefined));
  await vi.advanceTimersByTimeAsync(1_250);
  expect(status()).not.toBe("live");
});
