import { expect, test } from "vitest";
import { socketUrl, Tickets } from "./tickets";

const joined = (token: string) => ({
  token,
  expires_in: 600,
  room: "demo",
  consultation_id: "c",
  ws_url: "/ws?room=demo",
});

test.each([
  ["/ws?room=demo", "https://h.example/#/room/demo", "wss://h.example/ws?room=demo"],
  ["/ws", "http://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws?room=demo"],
  ["wss://other.example/ws?room=demo", "https://h.example/", "wss://other.example/ws?room=demo"],
])("%s on %s is %s", (ws_url, page, expected) => {
  expect(socketUrl({ ws_url, room: "demo" }, page)).toBe(expected);
});

test("a token serves until shortly before its end, then or on demand there is a new one", async () => {
  let [asked, now] = [0, 0];
  const join = () => Promise.resolve(joined(`token-${(asked += 1)}`));
  const tickets = new Tickets(join, "https://h.example/", () => now);
  expect((await tickets.get(false)).token).toBe("token-1");
  now = 584_000;
  expect((await tickets.get(false)).token).toBe("token-1");
  expect((await tickets.get(true)).token).toBe("token-2");
  now += 586_000;
  expect((await tickets.get(false)).token).toBe("token-3");
});

test("the token never appears in the address", async () => {
  const tickets = new Tickets(
    () => Promise.resolve(joined("secret")),
    "https://h.example/",
    () => 0,
  );
  expect((await tickets.get(false)).url).not.toContain("secret");
});
