// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { tileToDrag, watchDrag } from "./dragTiles";

const TILE = (id: string, movable = true) =>
  `<section class="tile" data-feed="${id}" data-movable="${movable}">
    <div class="picture"><button class="cover"></button></div>
    <div class="caption"><span></span><button class="move-handle"></button><button class="other"></button></div>
  </section>`;
let stage: HTMLElement;
let told: string[];
let under: Element | null;

/** The click that a browser sends right after a drag is over by then. */
const nextTask = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(async () => {
  await nextTask();
  document.body.innerHTML = `<div id="stage">${TILE("a")}${TILE("b")}${TILE("c", false)}</div>`;
  stage = document.getElementById("stage") ?? expect.fail();
  told = [];
  under = null;
  document.elementFromPoint = () => under;
  stage.setPointerCapture = stage.releasePointerCapture = () => undefined;
  watchDrag(stage, {
    over: (id, target) => told.push(`${id} over ${target}`),
    dropped: (id, target) => told.push(`${id} dropped on ${target}`),
  });
});

const part = (id: string, selector: string) =>
  stage.querySelector<HTMLElement>(`[data-feed="${id}"] ${selector}`) ?? expect.fail();
const point = (type: string, target: Element, x: number, pointerType = "mouse") => {
  const init = { bubbles: true, clientX: x, clientY: 0, pointerId: 1, pointerType, isPrimary: true };
  target.dispatchEvent(new PointerEvent(type, init));
};
const drag = (from: Element, over: Element | null, pointerType = "mouse") => {
  point("pointerdown", from, 0, pointerType);
  under = over;
  point("pointermove", stage, 50, pointerType);
  point("pointerup", stage, 50, pointerType);
};

test("a picture dragged onto another takes its place", () => {
  drag(part("a", ".cover"), part("b", ".picture"));
  expect(told).toEqual(["a over b", "a dropped on b"]);
});

test("dropped beside the others it stays where it was", () => {
  drag(part("a", ".cover"), document.body);
  expect(told).toEqual(["a dropped on null"]);
});

test("a click is no drag, and the click that ends a drag means nothing", () => {
  let clicks = 0;
  part("a", ".cover").addEventListener("click", () => (clicks += 1));
  point("pointerdown", part("a", ".cover"), 0);
  point("pointermove", stage, 4);
  point("pointerup", stage, 4);
  part("a", ".cover").click();
  expect([told, clicks]).toEqual([[], 1]);
  drag(part("a", ".cover"), part("b", ".picture"));
  part("a", ".cover").click();
  expect(clicks).toBe(1);
});

test("Escape puts it back", () => {
  point("pointerdown", part("a", ".cover"), 0);
  under = part("b", ".picture");
  point("pointermove", stage, 50);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  point("pointerup", stage, 50);
  expect(told).toEqual(["a over b", "a dropped on null"]);
  expect(part("a", ".picture").parentElement?.style.translate).toBe("");
});

test.each<[string, string, string, boolean]>([
  ["mouse", "a", ".cover", true],
  ["mouse", "a", ".caption > span", true],
  ["mouse", "a", ".other", false],
  ["mouse", "c", ".cover", false],
  ["touch", "a", ".cover", false],
  ["touch", "a", ".move-handle", true],
  ["touch", "c", ".move-handle", false],
])("with %s, %s %s can be dragged: %s", (pointerType, id, selector, expected) => {
  expect(tileToDrag(part(id, selector), pointerType) !== null).toBe(expected);
});
