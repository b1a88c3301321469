import { expect, test } from "vitest";
import { ApiError } from "../api/http";
import type { Chat, FileInfo } from "../protocol/messages";
import { entry as chatEntry } from "./fixtures";
import { Outbox, WAITING_MAX } from "./outbox";

const info = (id: string): FileInfo => ({
  file_id: id,
  name: id,
  media_type: "image/png",
  size_bytes: 1,
  sha256: "",
});

const entry = (ref: string, who = "me") => chatEntry(`c-${ref}`, { ref, person: who });

/** The server and the clock, as far as an outbox knows them. */
function setUp() {
  const said: Chat[] = [];
  const timers: { act: () => void; ms: number; off: boolean }[] = [];
  const uploads: {
    name: string;
    progress: (share: number) => void;
    done: (file: FileInfo) => void;
    fail: (error: unknown) => void;
    signal: AbortSignal;
  }[] = [];
  let refs = 0;
  const outbox = new Outbox({
    say: (message) => said.push(message) > 0,
    upload: (file, progress, signal) =>
      new Promise((done, fail) => {
        uploads.push({ name: file.name, progress, done, fail, signal });
      }),
    newRef: () => `r${(refs += 1)}`,
    later: (act, ms) => {
      const timer = { act, ms, off: false };
      timers.push(timer);
      return () => {
        timer.off = true;
      };
    },
  });
  const elapse = () => {
    for (const timer of timers.splice(0)) if (!timer.off) timer.act();
  };
  return { outbox, said, uploads, elapse, timers };
}

/** Lets promises go on. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const states = (outbox: Outbox) => outbox.store.get().map(({ ref, state }) => `${ref} ${state}`);
const refsOf = (said: readonly Chat[]) => said.map(({ ref }) => ref);

test("one message at a time goes out, in order, and stays until everybody sees it", async () => {
  const { outbox, said } = setUp();
  outbox.open();
  outbox.add("one", []);
  outbox.add("two", []);
  await settle();
  expect(refsOf(said)).toEqual(["r1"]);
  expect(states(outbox)).toEqual(["r1 sending", "r2 waiting"]);
  outbox.seen([entry("r1")], "me");
  await settle();
  expect(refsOf(said)).toEqual(["r1", "r2"]);
  outbox.seen([entry("r2")], "me");
  expect(outbox.store.get()).toEqual([]);
});

test("what was not confirmed is said again after a reconnection, under the same reference", async () => {
  const { outbox, said } = setUp();
  outbox.open();
  outbox.add("one", []);
  await settle();
  outbox.pause();
  expect(states(outbox)).toEqual(["r1 waiting"]);
  outbox.seen([], "me");
  outbox.open();
  await settle();
  expect(refsOf(said)).toEqual(["r1", "r1"]);
});

test("what the welcome shows as arrived is not said again", async () => {
  const { outbox, said } = setUp();
  outbox.open();
  outbox.add("one", []);
  await settle();
  outbox.pause();
  outbox.seen([entry("r1")], "me");
  outbox.open();
  await settle();
  expect(refsOf(said)).toEqual(["r1"]);
  expect(outbox.store.get()).toEqual([]);
});

test("the same reference of somebody else is not mine", async () => {
  const { outbox } = setUp();
  outbox.open();
  outbox.add("one", []);
  await settle();
  outbox.seen([entry("r1", "li")], "me");
  expect(states(outbox)).toEqual(["r1 sending"]);
});

test("without a room everything waits, up to a bound that is told", async () => {
  const { outbox, said } = setUp();
  const taken = Array.from({ length: WAITING_MAX + 1 }, () => outbox.add("x", []));
  await settle();
  expect(taken.filter(Boolean)).toHaveLength(WAITING_MAX);
  expect(said).toEqual([]);
});

test("no answer for long: said again; a late answer ends it", async () => {
  const { outbox, said, elapse } = setUp();
  outbox.open();
  outbox.add("one", []);
  await settle();
  elapse();
  await settle();
  expect(refsOf(said)).toEqual(["r1", "r1"]);
  outbox.seen([entry("r1")], "me");
  elapse();
  await settle();
  expect(refsOf(said)).toEqual(["r1", "r1"]);
});

test("files go first, one after the other, with their progress", async () => {
  const { outbox, said, uploads } = setUp();
  outbox.open();
  outbox.add("look", [new File(["1"], "a.png"), new File(["22"], "b.png")]);
  await settle();
  expect(uploads.map(({ name }) => name)).toEqual(["a.png"]);
  uploads[0]?.progress(0.5);
  expect(outbox.store.get()[0]?.files.map(({ progress }) => progress)).toEqual([0.5, 0]);
  uploads[0]?.done(info("f_a"));
  await settle();
  uploads[1]?.done(info("f_b"));
  await settle();
  expect(said).toEqual([{ type: "chat", ref: "r1", text: "look", file_ids: ["f_a", "f_b"] }]);
});

test("a network that went during an upload costs nothing that was uploaded before", async () => {
  const { outbox, said, uploads } = setUp();
  outbox.open();
  outbox.add("", [new File(["1"], "a"), new File(["2"], "b")]);
  await settle();
  uploads[0]?.done(info("f_a"));
  await settle();
  outbox.pause();
  expect(uploads[1]?.signal.aborted).toBe(true);
  uploads[1]?.fail(new ApiError(0, "offline", ""));
  outbox.open();
  await settle();
  expect(uploads.map(({ name }) => name)).toEqual(["a", "b", "b"]);
  uploads[2]?.done(info("f_b"));
  await settle();
  expect(said[0]?.file_ids).toEqual(["f_a", "f_b"]);
});

test.each([
  [new ApiError(413, "too_large", ""), "too_large"],
  [new ApiError(507, "no_space", ""), "no_space"],
])(
  "an upload refused with %s is told and does not hold up what was written after it",
  async (error, code) => {
    const { outbox, said, uploads } = setUp();
    outbox.open();
    outbox.add("", [new File(["1"], "a")]);
    outbox.add("next", []);
    await settle();
    uploads[0]?.fail(error);
    await settle();
    expect(outbox.store.get()[0]).toMatchObject({ state: "failed", problem: code });
    expect(refsOf(said)).toEqual(["r2"]);
  },
);

test.each([new ApiError(503, "unavailable", ""), new ApiError(400, "bad_body", ""), new TypeError("broke")])(
  "an upload that failed with %s is tried again by itself",
  async (error) => {
    const { outbox, uploads, elapse } = setUp();
    outbox.open();
    outbox.add("", [new File(["1"], "a")]);
    await settle();
    uploads[0]?.fail(error);
    await settle();
    expect(states(outbox)).toEqual(["r1 waiting"]);
    elapse();
    await settle();
    expect(uploads).toHaveLength(2);
  },
);

test("a refused message can be said again or be written anew; a hurried one waits its turn", async () => {
  const { outbox, said, elapse } = setUp();
  outbox.open();
  outbox.add("one", []);
  await settle();
  outbox.refused("too_fast");
  expect(states(outbox)).toEqual(["r1 waiting"]);
  elapse();
  await settle();
  outbox.refused("not_granted");
  expect(outbox.store.get()[0]).toMatchObject({ state: "failed", problem: "not_granted" });
  outbox.retry("r1");
  await settle();
  expect(refsOf(said)).toEqual(["r1", "r1", "r1"]);
  outbox.refused("not_granted");
  expect(outbox.discard("r1").text).toBe("one");
  expect(outbox.store.get()).toEqual([]);
});

test("files the server has forgotten are sent anew, and given back to who edits", async () => {
  const { outbox, said, uploads } = setUp();
  outbox.open();
  outbox.add("", [new File(["1"], "a")]);
  await settle();
  uploads[0]?.done(info("f_old"));
  await settle();
  outbox.refused("file_not_found");
  outbox.retry("r1");
  await settle();
  uploads[1]?.done(info("f_new"));
  await settle();
  expect(said.at(-1)?.file_ids).toEqual(["f_new"]);
  outbox.refused("not_granted");
  expect(outbox.discard("r1").files.map(({ name }) => name)).toEqual(["a"]);
});

test("taking back an upload stops it, and the next message goes", async () => {
  const { outbox, said, uploads } = setUp();
  outbox.open();
  outbox.add("", [new File(["1"], "a")]);
  outbox.add("next", []);
  await settle();
  outbox.discard("r1");
  expect(uploads[0]?.signal.aborted).toBe(true);
  uploads[0]?.done(info("f_a"));
  await settle();
  expect(refsOf(said)).toEqual(["r2"]);
});
