import { expect, test } from "vitest";
import type { Chat } from "../protocol/messages";
import { ChatDesk, deskOf, unreadCount } from "./chatDesk";
import { entry, person } from "./fixtures";

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

function attached(desk: ChatDesk): Chat[] {
  const said: Chat[] = [];
  desk.attach({ say: (message) => said.push(message) > 0, upload: () => Promise.reject(new Error("no")) });
  return said;
}

test("what was written survives the end of a stay and is sent by the next one, once", async () => {
  const page = {};
  const desk = deskOf(page, "demo");
  const first = attached(desk);
  desk.joined(person("p1", { person: "wang" }), []);
  desk.draft.set(" unsent ");
  desk.send();
  desk.draft.set("half a sen");
  await settle();
  desk.detach();
  const again = deskOf(page, "demo");
  const second = attached(again);
  again.joined(person("p2", { person: "wang" }), []);
  await settle();
  expect(first).toEqual(second);
  expect(first).toMatchObject([{ text: "unsent" }]);
  expect(again.draft.get()).toBe("half a sen");
  again.added(entry("c1", { ref: first[0]?.ref ?? "", person: "wang" }));
  expect(again.outbox.store.get()).toEqual([]);
});

test("what somebody else left at this page is not sent in my name", async () => {
  const desk = new ChatDesk();
  const said = attached(desk);
  desk.joined(person("p1", { person: "wang" }), []);
  desk.detach();
  desk.draft.set("mine");
  desk.send();
  desk.draft.set("half");
  desk.attach({ say: (message) => said.push(message) > 0, upload: () => Promise.reject(new Error("no")) });
  desk.joined(person("p2", { person: "li" }), []);
  await settle();
  expect(said).toEqual([]);
  expect(desk.draft.get()).toBe("");
});

test("rooms do not share what is written in them", () => {
  const page = {};
  deskOf(page, "one").draft.set("x");
  expect(deskOf(page, "two").draft.get()).toBe("");
  expect(deskOf({}, "one").draft.get()).toBe("");
});

test("a message that failed comes back for editing, before what is being written", () => {
  const desk = new ChatDesk(() => "r");
  desk.draft.set("first");
  desk.chosen.set([new File(["1"], "a.png")]);
  desk.send();
  desk.draft.set("second");
  desk.edit("r");
  expect(desk.draft.get()).toBe("first\nsecond");
  expect(desk.chosen.get().map(({ name }) => name)).toEqual(["a.png"]);
});

test("unread is what others wrote after the last message that was seen", () => {
  const chat = [entry("1"), entry("2", { person: "me" }), entry("3"), entry("4")];
  expect(unreadCount(chat, null, "me")).toBe(3);
  expect(unreadCount(chat, "3", "me")).toBe(1);
  expect(unreadCount(chat, "4", "me")).toBe(0);
});
