import { beforeEach, expect, test } from "vitest";
import { fakeStorage } from "../api/fakeServer";
import type { Opinion, WriteOpinion } from "../protocol/messages";
import { person } from "./fixtures";
import { canFile, clearOpinion, OPINION_MAX_CHARS, OpinionDesk } from "./opinionDesk";

const wang = person("p1", { person: "u_wang" });
let tab = fakeStorage();
let said: WriteOpinion[];
let later: (() => void)[];
let online: boolean;

const opinion = (ref: string, over: Partial<Opinion> = {}): Opinion => ({
  opinion_id: `o_${ref}`,
  ref,
  person: "u_wang",
  name: "Dr Wang",
  organisation: "",
  text: "Mild",
  at_us: 1,
  ...over,
});

/** The page as it is loaded (again). */
function load(opinions: readonly Opinion[] = [], me = wang, consultation = "c_1"): OpinionDesk {
  let refs = 0;
  const desk = new OpinionDesk({
    tab,
    newRef: () => `r${(refs += 1)}`,
    later: (act) => void later.push(act),
    say: (message) => {
      if (online) said.push(message);
      return online;
    },
  });
  desk.joined(me, consultation, opinions);
  return desk;
}

beforeEach(() => {
  tab = fakeStorage();
  said = [];
  later = [];
  online = true;
});

test("a draft is back when the page is loaded again, for its writer in its consultation alone", () => {
  load().edit("Mild regurgitation");
  expect(load().store.get()).toEqual({ text: "Mild regurgitation", phase: "writing", problem: "" });
  expect(load([], person("p2", { person: "u_li" })).store.get().text).toBe("");
  expect(load([], wang, "c_2").store.get().text).toBe("");
  expect(said).toEqual([]);
});

test("what is filed is said once more after each interruption, under the same ref, until the server has it", () => {
  const desk = load();
  desk.edit("Mild");
  online = false;
  desk.file();
  expect(desk.store.get().phase).toBe("filing");
  desk.edit("changed meanwhile");
  online = true;
  desk.joined(wang, "c_1", []);
  const again = load();
  expect(said).toEqual([
    { type: "write_opinion", ref: "r1", text: "Mild" },
    { type: "write_opinion", ref: "r1", text: "Mild" },
  ]);
  again.written(opinion("r1"));
  expect(again.store.get()).toEqual({ text: "", phase: "writing", problem: "" });
  expect(tab.stored.size).toBe(0);
});

test("an answer that was lost is found in the welcome, and nothing is filed twice", () => {
  const desk = load();
  desk.edit("Mild");
  desk.file();
  expect(load([opinion("r1")]).store.get()).toEqual({ text: "", phase: "writing", problem: "" });
  expect(said).toHaveLength(1);
});

test("somebody else's opinion does not end one's own", () => {
  const desk = load();
  desk.edit("Mild");
  desk.file();
  desk.written(opinion("r1", { person: "u_li" }));
  desk.written(opinion("other"));
  expect(desk.store.get().phase).toBe("filing");
});

test("what the server does not take is there to be changed, and is filed anew", () => {
  const desk = load();
  desk.edit("Mild");
  desk.file();
  desk.refused("malformed");
  expect(desk.store.get()).toEqual({ text: "Mild", phase: "refused", problem: "malformed" });
  desk.edit("Mild.");
  desk.file();
  expect(said.at(-1)).toEqual({ type: "write_opinion", ref: "r2", text: "Mild." });
});

test("too much at once is said again by itself after a moment", () => {
  const desk = load();
  desk.edit("Mild");
  desk.file();
  desk.refused("too_fast");
  expect(desk.store.get().phase).toBe("filing");
  later[0]?.();
  expect(said).toHaveLength(2);
});

test("nothing and too much cannot be filed", () => {
  expect(
    ["", " \n", "a", "字".repeat(OPINION_MAX_CHARS), "字".repeat(OPINION_MAX_CHARS + 1)].map(canFile),
  ).toEqual([false, false, true, true, false]);
});

test("an emptied draft and a signed-out tab leave nothing behind", () => {
  const desk = load();
  desk.edit("Mild");
  desk.edit("");
  expect(tab.stored.size).toBe(0);
  desk.edit("Mild");
  clearOpinion(tab);
  expect(load().store.get().text).toBe("");
});
