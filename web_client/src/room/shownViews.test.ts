import { expect, test } from "vitest";
import { HIDDEN_AFTER_MS, sameViews, shownViews, type PlacedPicture } from "./shownViews";

const placed = (trackId: string, over: Partial<PlacedPicture> = {}): PlacedPicture => ({
  trackId,
  box: { width: 320, height: 180 },
  picture: { width: 1280, height: 720 },
  ratio: 1,
  zoom: 1,
  focus: false,
  hiddenSinceMs: null,
  covered: false,
  ...over,
});
const told = (...pictures: PlacedPicture[]) =>
  shownViews(pictures, 100_000).map(({ track_id: id, width, height, focus }) => [id, width, height, focus]);

test("the picture in focus is first, then the larger ones", () => {
  const large = { box: { width: 640, height: 360 } };
  const focus = { box: { width: 960, height: 540 }, focus: true };
  expect(told(placed("small"), placed("large", large), placed("focus", focus))).toEqual([
    ["focus", 960, 544, true],
    ["large", 640, 368, false],
    ["small", 320, 192, false],
  ]);
});

test("sizes are those of the screen, not of the page", () => {
  expect(told(placed("u", { ratio: 2 }))).toEqual([["u", 640, 368, false]]);
});

test("a zoomed picture is as large as its parts would make it", () => {
  expect(told(placed("u", { zoom: 4 }))).toEqual([["u", 1280, 720, false]]);
});

test("what is beside a picture in its box does not count", () => {
  const upright = { box: { width: 800, height: 320 }, picture: { width: 480, height: 640 } };
  expect(told(placed("u", upright))).toEqual([["u", 240, 320, false]]);
});

test("before its first frame a picture counts as a usual one", () => {
  expect(told(placed("u", { picture: { width: 0, height: 0 }, box: { width: 640, height: 640 } }))).toEqual([
    ["u", 640, 368, false],
  ]);
});

test("shown in two windows, the larger size and the focus count", () => {
  const small = placed("u", { focus: true });
  const large = placed("u", { box: { width: 640, height: 360 } });
  for (const pictures of [
    [small, large],
    [large, small],
  ])
    expect(told(...pictures)).toEqual([["u", 640, 368, true]]);
});

test("on a page that is hidden for seconds only the focus is shown", () => {
  const hidden = (ms: number) => ({ hiddenSinceMs: 100_000 - ms });
  const ids = (ms: number) =>
    told(placed("u", hidden(ms)), placed("v", { ...hidden(ms), focus: true })).map(([id]) => id);
  expect(ids(HIDDEN_AFTER_MS - 1)).toEqual(["v", "u"]);
  expect(ids(HIDDEN_AFTER_MS)).toEqual(["v"]);
});

test("behind a picture that fills the screen nothing is shown", () => {
  expect(told(placed("u", { covered: true }), placed("v")).map(([id]) => id)).toEqual(["v"]);
});

test("a picture without a box is not shown, and none is larger than the server takes", () => {
  expect(told(placed("u", { box: { width: 0, height: 0 } }))).toEqual([]);
  expect(told(placed("u", { zoom: 1_000 }))).toEqual([["u", 16_384, 16_384, false]]);
});

test("of too many pictures the largest are told, and the one in focus", () => {
  const many = Array.from({ length: 70 }, (_, index) =>
    placed(`u${index}`, { box: { width: 320 + index * 16, height: 1_000 } }),
  );
  const ids = told(...many, placed("focus", { focus: true })).map(([id]) => id);
  expect(ids).toHaveLength(64);
  expect(ids[0]).toBe("focus");
  expect(ids).not.toContain("u0");
});

test("the same is not told twice", () => {
  const now = (...pictures: PlacedPicture[]) => shownViews(pictures, 0);
  expect(sameViews(now(placed("u")), now(placed("u", { box: { width: 319, height: 179 } })))).toBe(true);
  expect(sameViews(now(placed("u")), now(placed("u", { focus: true })))).toBe(false);
  expect(sameViews(now(placed("u")), now(placed("v")))).toBe(false);
  expect(sameViews(now(placed("u")), now())).toBe(false);
});
