// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { FakeServer, fakeTab } from "../api/fakeServer";
import { Session } from "../api/session";
import type { Consultation, Me } from "../api/types";
import { ConsultationsPage } from "./ConsultationsPage";
import { consultationOf, meOf } from "./testData";
import { at, find, press, settle, testPage, type, wordsOf } from "./testPage";

const page = testPage();
let server: FakeServer;
let session: Session;
let open: Consultation[];
let closed: Consultation[];
let failing: boolean;

beforeEach(async () => {
  [open, closed, failing] = [[], [], false];
  server = new FakeServer();
  for (const [state, list] of [
    ["open", () => open],
    ["closed", () => closed],
  ] as const) {
    server.answers.set(`/consultations?state=${state}`, () =>
      failing ? new Response(null, { status: 503 }) : Response.json(list()),
    );
  }
  session = new Session(fakeTab(server));
  await session.signIn("wang", "right");
});

const show = (role: Me["role"] = "specialist") =>
  page.show(<ConsultationsPage session={session} me={meOf(role)} onSignOut={() => undefined} />);
const cards = () => [...document.querySelectorAll(".card")].map((card) => card.textContent);
/** Looks again, as when the network comes back. */
const look = () => settle(() => window.dispatchEvent(new Event("online")));

test("a card says who, where, since when, how many are in, and whether it is recorded", async () => {
  const openedUs = (Date.now() - 12 * 60_000) * 1000;
  open = [consultationOf("a", { specialty: "Cardiology", people: 2, opened_at_us: openedUs, record: false })];
  await show();
  expect(cards()[0]).toMatch(/^张\*三 · 男 · 57 · US-20417 Cardiology/);
  for (const words of ["Site: County Hospital", "(12 min)", "2 people in the room", "Is not recorded"]) {
    expect(cards()[0]).toContain(words);
  }
  expect(at("join-room-a").getAttribute("href")).toBe("#/room/room-a");
  expect(at("join-room-a").getAttribute("aria-label")).toBe("Join 张*三 · 男 · 57 · US-20417");
});

test("only the consultation's own site finds the on-site page, and only sites the form", async () => {
  open = [consultationOf("mine", { host: true }), consultationOf("theirs")];
  await show("site");
  expect(at("onsite-room-mine").getAttribute("href")).toBe("#/site/room-mine");
  expect(find("onsite-room-theirs")).toBeNull();
  expect(at("new-consultation").getAttribute("href")).toBe("#/new");
  await show("specialist");
  expect(find("new-consultation")).toBeNull();
});

test("the number of people changes in place: the card stays the same element", async () => {
  open = [consultationOf("a", { people: 1 })];
  await show();
  const button = at("join-room-a");
  button.focus();
  open = [consultationOf("b"), consultationOf("a", { people: 2 })];
  await look();
  expect(at("people-room-a").textContent).toBe("2 people in the room");
  expect(at("join-room-a")).toBe(button);
  expect(document.activeElement).toBe(button);
});

test("closed ones are listed below and cannot be joined", async () => {
  const now = Date.now() * 1000;
  closed = [consultationOf("z", { state: "closed", opened_at_us: now - 2_700_000_000, closed_at_us: now })];
  await show();
  expect(wordsOf(".closed h2")).toBe("Closed in the last 7 days");
  expect(cards()[0]).toContain("lasted 45 min");
  expect(find("join-room-z")).toBeNull();
  expect(find("no-consultations")).not.toBeNull();
});

test("nobody waits in front of an empty page without a word", async () => {
  await show();
  expect(at("no-consultations").textContent).toContain("When the site opens one it appears here by itself.");
  await show("site");
  expect(at("no-consultations").textContent).toContain("Open one with the request form.");
});

test("a list that cannot be loaded says so, and offers to try again", async () => {
  failing = true;
  await show();
  expect(at("list-problem").textContent).toContain("The list cannot be loaded.");
  [failing, open] = [false, [consultationOf("a")]];
  await settle(() => at("list-problem").querySelector("button")?.click());
  expect(find("list-problem")).toBeNull();
  expect(cards()).toHaveLength(1);
});

test("a service that goes away leaves the list, marked as old", async () => {
  open = [consultationOf("a")];
  await show();
  failing = true;
  await look();
  expect(at("list-problem").textContent).toContain("may be out of date");
  expect(cards()).toHaveLength(1);
});

test("long lists can be searched, short ones need no field for it", async () => {
  open = Array.from({ length: 8 }, (_, n) => consultationOf(String(n), { header: `P* ${n}` }));
  await show();
  expect(find("search")).toBeNull();
  open = [...open, consultationOf("x", { header: "王* · 女 · 8 · CT-33012" })];
  await look();
  await type("search", "ct-33");
  expect(cards()).toHaveLength(1);
  expect(wordsOf(".search [role=status]")).toBe("1 found");
  await type("search", "ct-34");
  expect(wordsOf(".search [role=status]")).toBe("Nothing found. Use fewer or other words.");
});

test("a hidden page does not ask", async () => {
  await show();
  const before = server.asked.length;
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  await look();
  expect(server.asked).toHaveLength(before);
  vi.restoreAllMocks();
});

test("a keyboard reaches the content past the header at once", async () => {
  await show();
  await settle(() => document.querySelector<HTMLButtonElement>(".skip-link")?.click());
  expect(document.activeElement?.tagName).toBe("MAIN");
  expect(find("sign-out")).not.toBeNull();
  await press("language");
  expect(wordsOf("h1")).toBe("进行中的会诊");
});
