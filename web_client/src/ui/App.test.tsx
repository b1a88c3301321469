// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { FakeServer, fakeStorage, fakeTab, problem } from "../api/fakeServer";
import { Session, type SessionParts } from "../api/session";
import { App } from "./App";
import { InviteToken } from "./invite/inviteToken";
import { consultationOf } from "./testData";
import { at, find, press, settle, testPage, type, wordsOf } from "./testPage";

// The devices' page and the room have tests of their own, and need a real browser's devices and connections.
vi.mock("./devices/PreJoin", () => ({
  PreJoin: ({ title, onEnter, onBack }: { title: string; onEnter: () => void; onBack: () => void }) => (
    <div data-testid="prejoin">
      <h1>{title}</h1>
      <button data-testid="enter" onClick={onEnter} />
      <button data-testid="prejoin-back" onClick={onBack} />
    </div>
  ),
}));
vi.mock("./room/RoomPage", () => ({
  RoomPage: ({ room, layout, onLeave }: { room: string; layout: string; onLeave: () => void }) => (
    <div data-testid="room" data-room={room} data-layout={layout}>
      <button data-testid="leave" onClick={onLeave} />
    </div>
  ),
}));

const page = testPage();
let server: FakeServer;
let parts: SessionParts;
let session: Session;
let wall: number;

beforeEach(() => {
  wall = 0;
  server = new FakeServer();
  parts = { ...fakeTab(server), tab: window.sessionStorage, wallMs: () => (wall += 1) };
  session = new Session(parts);
  server.answers.set("/consultations?state=open", () =>
    Response.json([consultationOf("demo", { room: "demo", host: true, specialty: "Cardiology" })]),
  );
});

async function go(hash: string): Promise<void> {
  await settle(() => {
    window.location.hash = hash;
    window.dispatchEvent(new Event("hashchange"));
  });
}

async function open(hash = ""): Promise<void> {
  await go(hash);
  const invite = new InviteToken(window.sessionStorage);
  invite.take(window);
  await page.show(<App session={session} invite={invite} />);
}

async function signIn(role = "specialist"): Promise<void> {
  server.role = role;
  await type("username", "wang");
  await type("password", "right");
  await press("sign-in");
}

/** The same tab loads the page again. */
async function reload(): Promise<void> {
  session.park();
  await page.show(null);
  session = new Session(parts);
  await open(window.location.hash);
}

test("a link opened before signing in leads on to its page afterwards", async () => {
  await open("#/room/demo");
  expect(at("signed-out-why").textContent).toBe("Sign in to get to the page you opened.");
  await signIn();
  expect(wordsOf('[data-testid="prejoin"] h1')).toBe("张*三 · 男 · 57 · US-20417 · Cardiology");
  expect(document.title).toContain("张*三");
});

test("every way into a room passes the devices' page, except a reload of the same tab", async () => {
  await open("#/room/demo");
  await signIn();
  expect(find("room")).toBeNull();
  await press("enter");
  expect(at("room").dataset).toMatchObject({ room: "demo", layout: "consult" });
  await reload();
  expect(find("prejoin")).toBeNull();
  expect(find("room")).not.toBeNull();
  await press("leave");
  expect(window.location.hash).toBe("#/");
  await go("#/room/demo");
  expect(find("prejoin")).not.toBeNull();
});

test("the on-site page is the same stay in another layout", async () => {
  await open("#/site/demo");
  await signIn("site");
  await press("enter");
  const room = at("room");
  expect(room.dataset["layout"]).toBe("onsite");
  await go("#/room/demo");
  expect(at("room")).toBe(room);
  expect(room.dataset["layout"]).toBe("consult");
});

test.each([
  ["#/new", "specialist"],
  ["#/site/demo", "specialist"],
])("%s is not for a %s, and says so", async (hash, role) => {
  await open(hash);
  await signIn(role);
  expect(wordsOf("h1")).toBe("This page is for the on-site team");
});

test("auditors and administrators find no rooms, but their settings", async () => {
  await open("#/room/demo");
  await signIn("auditor");
  expect(wordsOf("h1")).toBe("There is no such page");
  await go("#/settings");
  expect(wordsOf("h1")).toBe("Settings");
});

test("a room that is not open says so before anybody chooses devices", async () => {
  await open("#/room/elsewhere");
  await signIn();
  expect(wordsOf("h1")).toBe("This room is not open.");
  expect(find("prejoin")).toBeNull();
});

test("when the list cannot be had, the room may still be tried", async () => {
  server.answers.set("/consultations?state=open", () => problem(503, "unavailable"));
  await open("#/room/demo");
  await signIn();
  expect(wordsOf('[data-testid="prejoin"] h1')).toBe("Room demo");
});

test("the site can invite from the page before the room", async () => {
  await open("#/room/demo");
  await signIn("site");
  expect(find("invite-before")).not.toBeNull();
});

test("an address that leads nowhere has a page and a way back", async () => {
  await open("#/nonsense");
  await signIn();
  expect(wordsOf("h1")).toBe("There is no such page");
});

test("going to another page moves the focus to its heading and names the tab", async () => {
  await open();
  await signIn();
  await go("#/settings");
  expect(document.activeElement?.textContent).toBe("Settings");
  expect(document.activeElement?.tagName).toBe("H1");
  expect(document.title).toBe("Settings · Teleconsult");
});

test("signing out empties the tab of what was begun", async () => {
  await open("#/new");
  await signIn("site");
  await type("exam-number", "US-1");
  expect(window.sessionStorage.getItem("teleconsult.draft")).not.toBeNull();
  await press("sign-out");
  expect(window.sessionStorage.getItem("teleconsult.draft")).toBeNull();
  expect(find("sign-in")).not.toBeNull();
});

test("a session that ends leaves the form's entries, and leads back to it", async () => {
  await open("#/new");
  await signIn("site");
  await type("exam-number", "US-1");
  server.refreshToken = server.accepts = "another";
  server.answers.set("/consultations?state=open", () => problem(401, "token_revoked"));
  await go("#/");
  expect(at("signed-out-why").textContent).toContain("Your sign-in has ended.");
  await go("#/new");
  server.answers.delete("/consultations?state=open");
  await signIn("site");
  expect((at("exam-number") as HTMLInputElement).value).toBe("US-1");
});

test("a guest has one room, and a good-bye page instead of a list", async () => {
  await open("#/invite/t0k");
  await press("invite-enter");
  await settle(() => window.dispatchEvent(new Event("hashchange")));
  await press("enter");
  expect(at("room").dataset["room"]).toBe("demo");
  await reload();
  expect(find("room")).not.toBeNull();
  await press("leave");
  expect(wordsOf("h1")).toBe("You have left the consultation");
  for (const elsewhere of ["#/settings", "#/new", "#/room/other"]) {
    await go(elsewhere);
    expect(find("goodbye"), elsewhere).not.toBeNull();
  }
  await press("finish");
  expect(wordsOf("h1")).toBe("Thank you for your help");
  expect(server.asked.at(-1)?.path).toBe("/auth/logout");
});

test("a guest whose time is over is told whom to ask, and can make room for an account", async () => {
  await open("#/invite/t0k");
  await press("invite-enter");
  server.answers.set("/auth/refresh", () => problem(401, "account_closed"));
  await reload();
  expect(wordsOf("h1")).toBe("Your visit has ended");
  expect(at("goodbye").textContent).toContain("ask County Hospital for a new link");
  await settle(() => at("goodbye").querySelector("button")?.click());
  expect(find("sign-in")).not.toBeNull();
});

test("a server out of reach is said, tried again by itself, and loses nothing", async () => {
  window.sessionStorage.setItem("teleconsult.refresh", (server.refreshToken = "good"));
  server.loseAnswers = 2;
  await open("#/room/demo");
  expect(wordsOf("h1")).toBe("The service does not answer");
  await settle(() => window.dispatchEvent(new Event("online")));
  expect(find("prejoin")).not.toBeNull();
});

test("signing out in another tab signs out here, also out of the room", async () => {
  await open("#/room/demo");
  await signIn();
  await press("enter");
  const elsewhere = new Session({ ...parts, tab: fakeStorage() });
  await elsewhere.signIn("wang", "right");
  elsewhere.signOut();
  await settle(() => {
    session.heed();
  });
  expect(at("signed-out-why").textContent).toContain("You signed out in another tab of this browser.");
  await signIn();
  expect(find("room")).toBeNull();
  expect(find("prejoin")).not.toBeNull();
});
