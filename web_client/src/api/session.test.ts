import { beforeEach, expect, test, vi } from "vitest";
import { FakeServer, fakeStorage, problem } from "./fakeServer";
import { ApiError } from "./http";
import { Session, type SessionParts } from "./session";

const LIST = "/consultations?state=open";
const REFRESH = "teleconsult.refresh";

let server: FakeServer;
let tab: ReturnType<typeof fakeStorage>;
let shared: ReturnType<typeof fakeStorage>;
let now: number;
let wall: number;

const newPage = (over: Partial<SessionParts> = {}) =>
  new Session({ tab, shared, fetcher: server.fetch, now: () => now, wallMs: () => wall, ...over });
const list = (session: Session) => session.request(LIST);
const roleIn = (session: Session) => {
  const account = session.account.get();
  return account.phase === "in" ? account.me.role : account;
};
async function signedIn(over: Partial<SessionParts> = {}): Promise<Session> {
  const session = newPage(over);
  await session.signIn("wang", "right");
  return session;
}

beforeEach(() => {
  server = new FakeServer();
  tab = fakeStorage();
  shared = fakeStorage();
  now = 0;
  wall = 1_000;
});

test("signing in tells who one is; calls carry the access token", async () => {
  const session = await signedIn();
  expect(roleIn(session)).toBe("specialist");
  await list(session);
  expect(server.asked.at(-1)).toMatchObject({ path: LIST, token: "access-1" });
});

test("a second factor's code is sent only when there is one", async () => {
  await newPage().signIn("wang", "right");
  await newPage().signIn("wang", "right", "123456");
  const logins = server.asked.filter(({ path }) => path === "/auth/login").map(({ body }) => body);
  expect(logins).toEqual([
    { username: "wang", password: "right" },
    { username: "wang", password: "right", code: "123456" },
  ]);
});

test("a wrong password is the server's word, not a broken connection", async () => {
  const refusal = newPage().signIn("wang", "wrong");
  await expect(refusal).rejects.toEqual(new ApiError(401, "wrong_credentials", "why"));
});

test("no token is stored while the page is in front; a reload goes on all the same", async () => {
  const session = await signedIn();
  expect([...tab.stored.values(), ...shared.stored.values()].join()).not.toMatch(/access|refresh-/);
  session.park();
  const reloaded = newPage();
  await reloaded.restore();
  expect(roleIn(reloaded)).toBe("specialist");
  expect(tab.stored.has(REFRESH)).toBe(false);
});

test("a hidden page that refreshes keeps the newest token", async () => {
  const session = await signedIn();
  session.park();
  now = 500_000;
  await list(session);
  expect(tab.stored.get(REFRESH)).toBe(server.refreshToken);
});

test("without a session there is nothing to go on with, and nothing is asked", async () => {
  const session = newPage();
  await session.restore();
  expect(session.account.get()).toEqual({ phase: "signed-out", why: null, visit: null });
  expect(server.asked).toEqual([]);
});

test.each([
  ["session_expired", "expired"],
  ["refresh_token_reused", "reused"],
  ["account_closed", "closed"],
])("a session that ended with %s asks for the password again and says so", async (code, why) => {
  tab.setItem(REFRESH, "long-gone");
  server.answers.set("/auth/refresh", () => problem(401, code));
  const session = newPage();
  await session.restore();
  expect(session.account.get()).toEqual({ phase: "signed-out", why, visit: null });
  expect(tab.stored.has(REFRESH)).toBe(false);
});

test("a session that ends in the middle of work is noticed by the call that finds out", async () => {
  const session = await signedIn();
  now = 700_000;
  server.refreshToken = "another";
  await expect(list(session)).rejects.toMatchObject({ status: 401 });
  expect(session.account.get()).toMatchObject({ phase: "signed-out", why: "expired" });
});

test("a server out of reach does not end the session", async () => {
  tab.setItem(REFRESH, (server.refreshToken = "good"));
  server.loseAnswers = 2;
  const session = newPage();
  await session.restore();
  expect(session.account.get()).toEqual({ phase: "restoring", unreachable: true });
  await session.restore();
  expect(roleIn(session)).toBe("specialist");
});

test("a refresh whose answer got lost is repeated at once", async () => {
  tab.setItem(REFRESH, (server.refreshToken = "good"));
  server.loseAnswers = 1;
  const session = newPage();
  await session.restore();
  expect(roleIn(session)).toBe("specialist");
});

test("the token is renewed before it ends, once for all who wait", async () => {
  const session = await signedIn();
  now = 481_000;
  await Promise.all([list(session), list(session), session.request("/me")]);
  expect(server.paths().filter((path) => path === "/auth/refresh")).toHaveLength(1);
});

test("a token revoked early is renewed and the call repeated", async () => {
  const session = await signedIn();
  server.accepts = "another";
  expect(await list(session)).toEqual([]);
});

test("a password asked for once more and typed wrong is not tried twice", async () => {
  const session = await signedIn();
  server.answers.set("/auth/password", () => problem(401, "wrong_credentials"));
  const change = session.request("/auth/password", { method: "POST", body: {} });
  await expect(change).rejects.toMatchObject({ code: "wrong_credentials" });
  expect(server.paths().filter((path) => path === "/auth/password")).toHaveLength(1);
  expect(roleIn(session)).toBe("specialist");
});

test("signing out forgets at once and tells the server", async () => {
  const session = await signedIn();
  session.park();
  session.signOut();
  expect(tab.stored.has(REFRESH)).toBe(false);
  expect(server.asked.at(-1)).toMatchObject({ path: "/auth/logout", token: "access-1" });
  expect(session.account.get()).toEqual({ phase: "signed-out", why: "left", visit: null });
  await expect(list(session)).rejects.toMatchObject({ status: 401 });
});

test("signing out after a long pause ends the session at the server, too", async () => {
  const session = await signedIn();
  now += 700_000;
  session.signOut();
  await vi.waitFor(() => {
    expect(server.asked.at(-1)).toMatchObject({ path: "/auth/logout", token: "access-2" });
  });
  await expect(list(session)).rejects.toMatchObject({ status: 401 });
});

test("a refresh that was under way while signing out brings nobody back", async () => {
  const session = await signedIn();
  now = 500_000;
  const looking = list(session);
  session.signOut();
  await expect(looking).rejects.toMatchObject({ status: 401 });
  session.park();
  expect(tab.stored.has(REFRESH)).toBe(false);
  expect(session.account.get()).toMatchObject({ phase: "signed-out", why: "left" });
});

test("a call begun before somebody else signed in is not repeated in the new name", async () => {
  const session = await signedIn();
  server.answers.set(LIST, async () => {
    server.answers.delete(LIST);
    await session.signIn("li", "right");
    return problem(401, "token_revoked");
  });
  await expect(list(session)).rejects.toMatchObject({ code: "signed_out" });
  expect(server.paths().filter((path) => path === LIST)).toHaveLength(1);
});

test("signing out in one tab signs the same person out in the others, and ends their sessions", async () => {
  const here = await signedIn();
  const there = await signedIn({ tab: fakeStorage() });
  wall += 1_000;
  here.signOut();
  there.heed();
  expect(there.account.get()).toMatchObject({ phase: "signed-out", why: "other-tab" });
  expect(server.paths().filter((path) => path === "/auth/logout")).toHaveLength(2);
});

test("a tab that slept while its person signed out elsewhere does not go on", async () => {
  const asleep = await signedIn();
  asleep.park();
  const elsewhere = await signedIn({ tab: fakeStorage() });
  server.refreshToken = tab.stored.get(REFRESH) ?? "";
  wall += 1_000;
  elsewhere.signOut();
  const awake = newPage();
  await awake.restore();
  expect(awake.account.get()).toMatchObject({ phase: "signed-out", why: "other-tab" });
});

test("signing in again after signing out is not undone by the old note, nor are other people", async () => {
  const first = await signedIn();
  wall += 1_000;
  first.signOut();
  wall += 1_000;
  const again = await signedIn();
  again.heed();
  expect(roleIn(again)).toBe("specialist");
  shared.setItem("teleconsult.signed-out", JSON.stringify({ u_somebody_else: wall + 5 }));
  again.heed();
  expect(roleIn(again)).toBe("specialist");
});

test.each(["not json", "[]", "null", '"x"'])("a spoilt note (%s) signs nobody out", async (note) => {
  const session = await signedIn();
  shared.setItem("teleconsult.signed-out", note);
  session.heed();
  expect(roleIn(session)).toBe("specialist");
});

test("a tab that is loaded again in the background keeps what another reload needs", async () => {
  (await signedIn()).park();
  const behind = newPage({ hidden: () => true });
  await behind.restore();
  expect(tab.stored.get(REFRESH)).toBe(server.refreshToken);
  behind.unpark();
  expect(tab.stored.has(REFRESH)).toBe(false);
});

test("a copied tab does not use the original's token", async () => {
  const original = await signedIn();
  original.park();
  const copy = newPage({ claim: () => Promise.resolve(false) });
  const before = server.asked.length;
  await copy.restore();
  expect(copy.account.get()).toMatchObject({ phase: "signed-out", why: "copied" });
  expect(server.asked).toHaveLength(before);
});

test("a guest is known as one, also after a reload, and has no password to come back with", async () => {
  const session = newPage();
  const visit = { room: "demo", consultation_id: "c_1", site: "County Hospital" };
  expect(await session.redeem("t0k", "Li")).toEqual(visit);
  expect(server.asked[0]).toMatchObject({ method: "POST", body: { token: "t0k", name: "Li" } });
  expect(session.account.get()).toMatchObject({ phase: "in", visit });
  session.park();
  const reloaded = newPage();
  await reloaded.restore();
  expect(reloaded.account.get()).toMatchObject({ phase: "in", visit });
  reloaded.signOut();
  expect(reloaded.account.get()).toEqual({ phase: "signed-out", why: "left", visit });
  reloaded.forgetVisit();
  expect(reloaded.account.get()).toEqual({ phase: "signed-out", why: null, visit: null });
});

test("a guest without a name of their own is called as invited", async () => {
  await newPage().redeem("t0k", "");
  expect(server.asked[0]?.body).toMatchObject({ token: "t0k" });
  expect(server.asked[0]?.body).not.toHaveProperty("name");
});

test("every try with one invitation proves to be the same client; with another it is another secret", async () => {
  const session = newPage();
  for (const token of ["t0k", "t0k", "other"]) await session.redeem(token, "");
  const tries = server.asked.filter((one) => one.path === "/invitations/redeem");
  const [first, again, other] = tries.map((one) => one.body["client_secret"]);
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test("what an invitation was exchanged for survives a server that goes away right then", async () => {
  const session = newPage();
  server.answers.set("/me", () => problem(503, "unavailable"));
  await session.redeem("t0k", "");
  expect(session.account.get()).toEqual({ phase: "restoring", unreachable: true });
  server.answers.clear();
  await session.restore();
  expect(session.account.get()).toMatchObject({ phase: "in", visit: { room: "demo" } });
});

test("entering by an invitation ends the sign-in this tab had before", async () => {
  const session = await signedIn();
  await session.redeem("t0k", "");
  expect(server.asked).toContainEqual({ method: "POST", path: "/auth/logout", token: "access-1", body: {} });
});

test("signing in makes a guest's tab an ordinary one", async () => {
  const session = newPage();
  await session.redeem("t0k", "");
  await session.signIn("wang", "right");
  expect(session.account.get()).toMatchObject({ phase: "in", visit: null });
});
