import { expect, test } from "vitest";
import type { Mark, MarkMotion } from "../protocol/messages";
import { Motions, seenMark, seenMarks } from "./visible";

const T = 1_795_300_000_000_000;
const FRAME_US = 33_333;

const drawn: Mark = {
  mark_id: "m",
  feed: "f",
  author: "p",
  author_name: "P",
  role: "specialist",
  tool: "arrow",
  colour: "#ffffff",
  width: 0.01,
  points: [0.1, 0.1, 0.2, 0.2],
  pressures: [],
  text: "",
  captured_us: T,
  anchor: "tissue",
  fade_after_ms: null,
  scale: null,
  changed_us: T,
};

const to = (right: number, state: MarkMotion["state"] = "held"): MarkMotion => ({
  mark_id: "m",
  motion: [1, 0, 0, 1, right, 0],
  confidence: 1,
  state,
});

function told(...words: [atUs: number, motion: MarkMotion][]): Motions {
  const motions = new Motions();
  for (const [captured_us, motion] of words) motions.add({ captured_us, marks: [motion] });
  return motions;
}

const look = (motions: Motions, shownUs: number) => seenMark(drawn, { shownUs, nowUs: T + 9e6, motions });

test("a mark on tissue is drawn with the transform of exactly the frame that is shown", () => {
  const motions = told([T, to(0)], [T + FRAME_US, to(0.1)], [T + 2 * FRAME_US, to(0.2)]);
  const rights = [0, 1, 2].map((n) => look(motions, T + n * FRAME_US + 40)?.motion?.[4]);
  expect(rights).toEqual([0, 0.1, 0.2]);
  expect(look(motions, T + FRAME_US - 40)?.motion?.[4]).toBe(0.1);
});

test("a transform of a later frame is never applied to an earlier one", () => {
  const motions = told([T, to(0)], [T + 2 * FRAME_US, to(0.2)]);
  expect(look(motions, T + FRAME_US)).toMatchObject({ motion: [1, 0, 0, 1, 0, 0], opacity: 1, doubt: null });
  expect(seenMark(drawn, { shownUs: T - 200_000, nowUs: T + 9e6, motions })?.doubt).toBe("lost");
});

test("words about frames may come in any order", () => {
  const motions = told([T + 2 * FRAME_US, to(0.2)], [T, to(0)], [T + FRAME_US, to(0.1)]);
  expect(look(motions, T + FRAME_US)?.motion?.[4]).toBe(0.1);
});

test("without a word about the frame it holds for 100 ms, then fades, and is gone and said to be", () => {
  const motions = told([T, to(0.1)]);
  const seen = [90_000, 150_000, 210_000].map((us) => look(motions, T + us));
  expect(seen.map((one) => one?.opacity)).toEqual([1, 0.5, 0]);
  expect(seen.map((one) => one?.doubt)).toEqual([null, "unsure", "lost"]);
});

test("a mark the box is unsure of is faded and said to be, a lost one is not shown", () => {
  expect(look(told([T, to(0.1, "unsure")]), T)).toMatchObject({ opacity: 0.4, doubt: "unsure" });
  expect(look(told([T, to(0.1, "lost")]), T + 40_000)).toMatchObject({ opacity: 0, doubt: "lost" });
});

test("what is being drawn is seen though the box has not answered yet, but not for long", () => {
  const at = (shownUs: number, nowUs: number) => seenMark(drawn, { shownUs, nowUs, motions: new Motions() });
  expect(at(T + 90_000, T + 120_000)).toMatchObject({ opacity: 1, doubt: null });
  expect(at(T + 400_000, T + 500_000)).toMatchObject({ opacity: 0.4, doubt: "unsure" });
  expect(at(T + 400_000, T + 1_100_000)).toMatchObject({ opacity: 0, doubt: "lost" });
});

test("a mark on a frame is on that frame and its neighbours only, one on the screen on all", () => {
  const frame: Mark = { ...drawn, mark_id: "frame", anchor: "frame" };
  const screen: Mark = { ...drawn, mark_id: "screen", anchor: "screen" };
  const ids = (shownUs: number | null) =>
    seenMarks([frame, screen], { shownUs, nowUs: T }).map(({ mark }) => mark.mark_id);
  expect(ids(T + FRAME_US)).toEqual(["frame", "screen"]);
  expect(ids(T + 2 * FRAME_US)).toEqual(["screen"]);
  expect(ids(null)).toEqual(["screen"]);
});

test("nobody knows which frame is shown: a mark on tissue is not shown, and said to be lost", () => {
  expect(seenMark(drawn, { shownUs: null, nowUs: T })).toMatchObject({ opacity: 0, doubt: "lost" });
});

test("what has faded is neither shown nor spoken of", () => {
  const fading = { ...drawn, fade_after_ms: 1_000 };
  expect(seenMark(fading, { shownUs: T, nowUs: T + 2e6, motions: told([T, to(0)]) })).toBeNull();
});

test("words are kept of so many frames and so many marks", () => {
  const motions = new Motions(3, 2);
  for (let n = 0; n < 5; n += 1) motions.add({ captured_us: T + n * FRAME_US, marks: [to(n)] });
  expect(motions.at("m", T + FRAME_US)).toBeNull();
  expect(motions.at("m", T + 2 * FRAME_US)?.motion.motion[4]).toBe(2);
  for (const mark_id of ["n", "o"]) motions.add({ captured_us: T, marks: [{ ...to(0), mark_id }] });
  expect([motions.at("m", T + 9e6), motions.at("o", T)?.capturedUs]).toEqual([null, T]);
});
