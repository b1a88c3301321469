// @vitest-environment happy-dom
import { beforeEach, describe, expect, test } from "vitest";
import { PictureZoom, ZoomShelf } from "./pictureZoom";
import { isWhole } from "./zoom";
import { keepsKeys, watchGestures, wheelPx, zoomKey, ZoomPointers } from "./zoomGestures";

const BOX = { width: 1000, height: 500 };
let zoom: PictureZoom;
let pointers: ZoomPointers;

beforeEach(() => {
  zoom = new PictureZoom();
  zoom.setFrame({ box: BOX, picture: { width: 1920, height: 1080 } });
  pointers = new ZoomPointers(zoom);
});

const factor = () => zoom.store.get().factor;
const tap = (id: number, x: number, y: number, timeMs: number, isTouch = true) => {
  pointers.pressed(id, { x, y });
  pointers.released(id, { x, y }, timeMs, isTouch);
};

describe("fingers", () => {
  test("two taps on one place zoom in there, two more show the whole picture", () => {
    tap(1, 600, 200, 0);
    expect(factor()).toBe(1);
    const before = zoom.toPicture({ x: 602, y: 203 });
    tap(2, 602, 203, 200);
    expect(factor()).toBe(2.5);
    expect(zoom.toScreen(before).x).toBeCloseTo(602);
    tap(3, 100, 100, 1_000);
    tap(4, 100, 100, 1_200);
    expect(isWhole(zoom.store.get())).toBe(true);
  });

  test("taps that are slow or far apart are two taps", () => {
    tap(1, 600, 200, 0);
    tap(2, 600, 200, 900);
    tap(3, 100, 400, 1_000);
    expect(factor()).toBe(1);
  });

  test("a mouse's double click is left to the full screen", () => {
    tap(1, 600, 200, 0, false);
    tap(1, 600, 200, 100, false);
    expect(factor()).toBe(1);
  });

  test("two fingers spread and move the picture, and that is no tap", () => {
    pointers.pressed(1, { x: 450, y: 250 });
    pointers.pressed(2, { x: 550, y: 250 });
    expect(pointers.travelled(2, { x: 750, y: 250 })).toBe(true);
    expect(factor()).toBeCloseTo(3);
    pointers.released(1, { x: 450, y: 250 }, 100, true);
    pointers.released(2, { x: 750, y: 250 }, 110, true);
    expect(pointers.moved).toBe(true);
    expect(factor()).toBeCloseTo(3);
  });

  test("a third finger changes nothing", () => {
    pointers.pressed(1, { x: 450, y: 250 });
    pointers.pressed(2, { x: 550, y: 250 });
    pointers.pressed(3, { x: 700, y: 400 });
    expect(pointers.travelled(3, { x: 900, y: 400 })).toBe(false);
    expect(factor()).toBe(1);
  });

  test("one finger scrolls the page while the picture is whole, and drags it once it is zoomed", () => {
    pointers.pressed(1, { x: 500, y: 250 });
    expect(pointers.travelled(1, { x: 560, y: 250 })).toBe(false);
    pointers.released(1, { x: 560, y: 250 }, 10, true);
    zoom.by(4);
    const held = zoom.toPicture({ x: 500, y: 250 });
    pointers.pressed(1, { x: 500, y: 250 });
    expect(pointers.travelled(1, { x: 503, y: 250 })).toBe(false);
    expect(pointers.travelled(1, { x: 560, y: 280 })).toBe(true);
    expect(zoom.toScreen(held)).toMatchObject({ x: 560, y: 280 });
    expect(pointers.moved).toBe(true);
  });

  test("a cancelled finger lets go", () => {
    zoom.by(4);
    pointers.pressed(1, { x: 500, y: 250 });
    pointers.cancelled(1);
    expect(pointers.travelled(1, { x: 700, y: 250 })).toBe(false);
  });
});

describe("keys", () => {
  test("plus, minus and zero zoom; other keys are not taken", () => {
    expect(["+", "=", "+"].map((key) => zoomKey(key, zoom))).toEqual([true, true, true]);
    expect(factor()).toBeCloseTo(1.25 ** 3);
    zoomKey("-", zoom);
    expect(factor()).toBeCloseTo(1.25 ** 2);
    zoomKey("0", zoom);
    expect(factor()).toBe(1);
    expect(zoomKey("p", zoom)).toBe(false);
  });

  test("arrows move a zoomed picture only", () => {
    expect(zoomKey("ArrowRight", zoom)).toBe(false);
    zoom.by(4);
    const { x } = zoom.store.get().centre;
    expect(zoomKey("ArrowRight", zoom)).toBe(true);
    expect(zoom.store.get().centre.x).toBeGreaterThan(x);
  });

  test("belong to whoever types, to panels and to dialogs", () => {
    document.body.innerHTML = `<main><button id="b"></button></main><aside><button id="p"></button></aside><input id="i" />`;
    const at = (id: string) => document.getElementById(id);
    expect(["b", "p", "i"].map((id) => keepsKeys(at(id)))).toEqual([false, true, true]);
    expect(keepsKeys(null)).toBe(false);
  });
});

describe("on the page", () => {
  const listen = () => {
    document.body.innerHTML = `<div id="box"><button></button></div>`;
    const box = document.getElementById("box") ?? expect.fail();
    return { box, stop: watchGestures(box, zoom) };
  };
  const press = (key: string, init: KeyboardEventInit = {}) => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
    document.body.dispatchEvent(event);
    return event;
  };

  test("the wheel zooms and does not scroll the page", () => {
    const { box, stop } = listen();
    const wheel = new WheelEvent("wheel", { deltaY: -100, bubbles: true, cancelable: true });
    box.dispatchEvent(wheel);
    expect(wheel.defaultPrevented).toBe(true);
    expect(factor()).toBeGreaterThan(1.2);
    stop();
    box.dispatchEvent(new WheelEvent("wheel", { deltaY: -100 }));
    expect(factor()).toBeLessThan(1.3);
  });

  test("keys work wherever the focus is, but not with Ctrl, and not while a dialog asks", () => {
    const { stop } = listen();
    expect(press("+").defaultPrevented).toBe(true);
    press("+", { ctrlKey: true });
    expect(factor()).toBeCloseTo(1.25);
    document.body.insertAdjacentHTML("beforeend", "<dialog open></dialog>");
    press("+");
    expect(factor()).toBeCloseTo(1.25);
    stop();
  });

  test("a wheel that counts in lines goes as far as one that counts in px", () => {
    expect(wheelPx({ deltaY: 3, deltaMode: 1 })).toBeCloseTo(99);
    expect(wheelPx({ deltaY: 100, deltaMode: 0 })).toBe(100);
  });
});

test("each picture keeps its own zoom, and the shelf has an end", () => {
  const shelf = new ZoomShelf();
  shelf.of("a").setFrame({ box: BOX });
  shelf.of("a").by(3);
  expect(shelf.of("a").store.get().factor).toBe(3);
  expect(shelf.of("b").store.get().factor).toBe(1);
  for (let n = 0; n < 100; n += 1) shelf.of(`feed-${n}`);
  expect(shelf.of("a").store.get().factor).toBe(1);
});
