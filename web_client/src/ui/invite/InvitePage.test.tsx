// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { FakeServer, fakeTab, problem } from "../../api/fakeServer";
import { Session } from "../../api/session";
import { useStore } from "../hooks";
import { at, find, press, settle, testPage, type, wordsOf } from "../testPage";
import { InvitePage } from "./InvitePage";
import { InviteToken } from "./inviteToken";

const page = testPage();
let server: FakeServer;
let session: Session;
let invite: InviteToken;

function Page() {
  return <InvitePage session={session} invite={invite} account={useStore(session.account)} />;
}

/** Opens a link of an invitation, as a browser does. */
async function follow(hash: string): Promise<void> {
  await settle(() => {
    window.location.hash = hash;
    invite.take(window);
  });
  await page.show(<Page />);
}

beforeEach(() => {
  server = new FakeServer();
  session = new Session(fakeTab(server));
  invite = new InviteToken(window.sessionStorage);
});

test("the token leaves the address at once and is sent in a body only", async () => {
  await follow("#/invite/s3cret-t0ken");
  expect(window.location.hash).toBe("#/invite");
  await type("guest-name", " Dr Li ");
  await press("invite-enter");
  expect(server.asked[0]).toMatchObject({
    method: "POST",
    path: "/invitations/redeem",
    body: { token: "s3cret-t0ken", name: "Dr Li" },
  });
  expect(server.asked.map((one) => one.path).join()).not.toContain("s3cret");
  expect(window.location.hash).toBe("#/room/demo");
  expect(window.sessionStorage.getItem("teleconsult.invite")).toBeNull();
});

test("a reload before entering keeps the invitation", async () => {
  await follow("#/invite/s3cret-t0ken");
  invite = new InviteToken(window.sessionStorage);
  await follow("#/invite");
  await press("invite-enter");
  expect(server.asked[0]?.body).toMatchObject({ token: "s3cret-t0ken" });
});

test.each([
  ["unknown", 404, "This link is not valid"],
  ["used", 410, "This link was used already"],
  ["expired", 410, "This link has expired"],
  ["revoked", 410, "This link was withdrawn"],
])("a link that is %s has words of its own, and a way on", async (why, status, title) => {
  server.answers.set("/invitations/redeem", () => problem(status, `invitation_${why}`));
  await follow("#/invite/t0k");
  await press("invite-enter");
  expect(wordsOf("h1")).toBe(title);
  expect(at("invite-page").dataset["refusal"]).toBe(why);
  expect(document.querySelector(".ways a")?.getAttribute("href")).toBe("#/");
});

test("a newer link in the same tab begins anew", async () => {
  server.answers.set("/invitations/redeem", () => problem(410, "invitation_used"));
  await follow("#/invite/old");
  await press("invite-enter");
  server.answers.clear();
  await follow("#/invite/new");
  await press("invite-enter");
  expect(server.asked.at(-2)?.body).toMatchObject({ token: "new" });
  expect(window.location.hash).toBe("#/room/demo");
});

test.each([
  [503, "unavailable", "The service cannot be reached."],
  [429, "too_many_attempts", "Too many attempts."],
  [422, "invalid_body", "The service does not take this name."],
])("%i does not use the link up: one can try again", async (status, code, words) => {
  server.answers.set("/invitations/redeem", () => problem(status, code));
  await follow("#/invite/t0k");
  await press("invite-enter");
  expect(wordsOf("#invite-problem")).toContain(words);
  server.answers.clear();
  await press("invite-enter");
  expect(window.location.hash).toBe("#/room/demo");
});

test("a link without its end is incomplete", async () => {
  await follow("#/invite/");
  expect(wordsOf("h1")).toBe("This link is incomplete");
  expect(find("invite-enter")).toBeNull();
});

test("who is signed in is told what going on means", async () => {
  await session.signIn("wang", "right");
  await follow("#/invite/t0k");
  expect(wordsOf(".hint-box")).toContain("You are signed in as Dr Wang. Going on signs you out in this tab.");
});

test("the link of a display beside a capture box leads to the on-site page", async () => {
  await follow("#/invite/s3cret~site");
  await press("invite-enter");
  expect(server.asked[0]?.body).toMatchObject({ token: "s3cret~site" });
  expect(window.location.hash).toBe("#/site/demo");
});
