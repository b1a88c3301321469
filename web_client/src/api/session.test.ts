import { beforeEach, expect, test, vi } from "vitest";
import { ApiError, type Fetch } from "./http";
import { Session, type TokenStorage } from "./session";

interface Asked {
  path: string;
  token: string | null;
  body: Record<string, unknown>;
}

/** The REST API as far as signing in goes: refresh tokens change at every use. */
class Server {
  asked: Asked[] = [];
  next = 1;
  refreshToken = "";
  loseAnswers = 0;
  accepts = "";

  readonly fetch: Fetch = (url, init) => {
    const headers = init.headers as Record<string, string>;
    const asked: Asked = {
      path: url.replace("/api/v1", ""),
      token: headers["Authorization"]?.replace("Bearer ", "") ?? null,
      body: typeof init.body === "string" ? (JSON.parse(init.body) as Asked["body"]) : {},
    };
    this.asked.push(asked);
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      return Promise.reject(new TypeError("Failed to fetch"));
    }
    return Promise.resolve(this.answer(asked));
  };

  paths(): string[] {
    return this.asked.map((one) => one.path);
  }

  private answer({ path, token, body }: Asked): Response {
    if (path === "/auth/login")
      return body["password"] === "right" ? this.tokens() : problem(401, "wrong_credentials");
    if (path === "/auth/refresh") {
      return body["refresh_token"] === this.refreshToken ? this.tokens() : problem(401, "session_expired");
    }
    if (path === "/auth/logout") return new Response(null, { status: 204 });
    if (token !== this.accepts) return problem(401, "token_expired");
    return Response.json(path === "/me" ? { role: "specialist" } : []);
  }

  private tokens(): Response {
    this.accepts = `access-${this.next}`;
    this.refreshToken = `refresh-${this.next}`;
    this.next += 1;
    return Response.json({ access_token: this.accepts, expires_in: 600, refresh_token: this.refreshToken });
  }
}

const problem = (status: number, code: string) =>
  new Response(JSON.stringify({ status, code, detail: "why" }), { status });

let server: Server;
let stored: Map<string, string>;
let now: number;
let storage: TokenStorage;
const newPage = () => new Session(storage, server.fetch, () => now);

beforeEach(() => {
  server = new Server();
  stored = new Map();
  now = 0;
  storage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
  };
});

test("signing in tells who one is; calls carry the access token", async () => {
  const session = newPage();
  expect((await session.signIn("wang", "right")).role).toBe("specialist");
  await session.openConsultations();
  expect(server.asked.at(-1)).toMatchObject({ path: "/consultations?state=open", token: "access-1" });
});

test("a wrong password is the server's word, not a broken connection", async () => {
  const refusal = newPage().signIn("wang", "wrong");
  await expect(refusal).rejects.toEqual(new ApiError(401, "wrong_credentials", "why"));
});

test("no token is stored while the page is in front; a reload goes on all the same", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  expect(stored.size).toBe(0);
  session.park();
  const reloaded = newPage();
  expect(await reloaded.restore()).toEqual({ role: "specialist" });
  expect(stored.size).toBe(0);
});

test("a hidden page that refreshes keeps the newest token", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  session.park();
  now = 500_000;
  await session.openConsultations();
  expect([...stored.values()]).toEqual([server.refreshToken]);
});

test("without a session there is nothing to go on with, and nothing is asked", async () => {
  expect(await newPage().restore()).toBeNull();
  expect(server.asked).toEqual([]);
});

test("a session that is over asks for the password again", async () => {
  stored.set("teleconsult.refresh", "long-gone");
  expect(await newPage().restore()).toBeNull();
  expect(stored.size).toBe(0);
});

test("a server out of reach does not end the session", async () => {
  stored.set("teleconsult.refresh", (server.refreshToken = "good"));
  server.loseAnswers = 2;
  const session = newPage();
  await expect(session.restore()).rejects.toMatchObject({ isTemporary: true });
  expect(await session.restore()).toEqual({ role: "specialist" });
});

test("a refresh whose answer got lost is repeated at once", async () => {
  stored.set("teleconsult.refresh", (server.refreshToken = "good"));
  server.loseAnswers = 1;
  expect(await newPage().restore()).toEqual({ role: "specialist" });
});

test("the token is renewed before it ends, once for all who wait", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  now = 481_000;
  await Promise.all([session.openConsultations(), session.openConsultations(), session.me()]);
  expect(server.paths().filter((path) => path === "/auth/refresh")).toHaveLength(1);
});

test("a token revoked early is renewed and the call repeated", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  server.accepts = "another";
  expect(await session.openConsultations()).toEqual([]);
});

test("signing out forgets at once and tells the server", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  session.park();
  session.signOut();
  expect(stored.size).toBe(0);
  expect(server.asked.at(-1)).toMatchObject({ path: "/auth/logout", token: "access-1" });
  await expect(session.me()).rejects.toMatchObject({ status: 401 });
});

test("signing out after a long pause ends the session at the server, too", async () => {
  const session = newPage();
  await session.signIn("wang", "right");
  now += 700_000;
  session.signOut();
  expect(stored.size).toBe(0);
  await vi.waitFor(() => {
    expect(server.asked.at(-1)).toMatchObject({ path: "/auth/logout", token: "access-2" });
  });
  await expect(session.me()).rejects.toMatchObject({ status: 401 });
});
