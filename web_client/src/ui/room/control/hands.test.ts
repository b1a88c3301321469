// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchHands } from "./hands";

const line = {
  key: vi.fn((event: KeyboardEvent, down: boolean) => down || event.code !== "Space"),
  pointerAt: vi.fn(),
  turned: vi.fn(),
  letGo: vi.fn(),
};
const zoom = { toPicture: ({ x, y }: { x: number; y: number }) => ({ x: x / 100, y: y / 100 }) };
const roomHears = vi.fn();
const capture = vi.fn();
let surface: HTMLElement;
let button: HTMLElement;
let stop: () => void;

const find = (selector: string) => document.querySelector<HTMLElement>(selector) ?? expect.fail(selector);
const key = (type: string, code: string, over: KeyboardEventInit = {}) => {
  const event = new KeyboardEvent(type, { code, bubbles: true, cancelable: true, ...over });
  surface.dispatchEvent(event);
  return event;
};
const pointer = (type: string, over: PointerEventInit = {}) => {
  const event = new PointerEvent(type, {
    bubbles: true,
    cancelable: true,
    clientX: 25,
    clientY: 75,
    isPrimary: true,
    ...over,
  });
  surface.dispatchEvent(event);
  return event;
};

beforeEach(() => {
  vi.clearAllMocks();
  document.body.innerHTML =
    '<div class="tile"><div id="s" tabindex="-1"></div><button data-testid="use-control"></button></div>';
  [surface, button] = [find("#s"), find("button")];
  surface.setPointerCapture = capture;
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  for (const type of ["keydown", "keyup", "wheel", "pointerdown"]) document.addEventListener(type, roomHears);
  stop = watchHands(surface, line, zoom);
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
  for (const type of ["keydown", "keyup", "wheel", "pointerdown"])
    document.removeEventListener(type, roomHears);
});

test("without the focus the mouse belongs to the picture, and a click only brings the focus", () => {
  pointer("pointerdown", { buttons: 1 });
  surface.dispatchEvent(new WheelEvent("wheel", { deltaY: 100, bubbles: true }));
  expect(roomHears).toHaveBeenCalledTimes(2);
  surface.click();
  expect(document.activeElement).toBe(surface);
  expect(line.pointerAt).not.toHaveBeenCalled();
  expect(line.turned).not.toHaveBeenCalled();
});

test("with the focus keys, Tab too, go to the device, and the room hears none of them", () => {
  surface.focus();
  for (const code of ["Tab", "Space", "Digit1", "KeyF", "Escape"]) {
    expect(key("keydown", code).defaultPrevented).toBe(true);
  }
  expect(line.key.mock.calls.map(([event]) => event.code)).toEqual([
    "Tab",
    "Space",
    "Digit1",
    "KeyF",
    "Escape",
  ]);
  expect(roomHears).not.toHaveBeenCalled();
});

test("a key that went down in the room comes up in the room", () => {
  surface.focus();
  key("keyup", "Space");
  expect(roomHears).toHaveBeenCalledTimes(1);
  key("keyup", "KeyA");
  expect(roomHears).toHaveBeenCalledTimes(1);
});

test("Shift+Escape lets go of everything and leads back to the button; the device hears no Escape", () => {
  surface.focus();
  key("keydown", "Escape", { shiftKey: true });
  expect(line.letGo).toHaveBeenCalled();
  expect(line.key).not.toHaveBeenCalled();
  expect(document.activeElement).toBe(button);
});

test("pointer and wheel say where in the picture, and with which buttons", () => {
  surface.focus();
  pointer("pointermove", { buttons: 0 });
  const down = pointer("pointerdown", { buttons: 2, pointerId: 7 });
  surface.dispatchEvent(new WheelEvent("wheel", { deltaY: 3, deltaMode: 1, bubbles: true }));
  expect(line.pointerAt.mock.calls).toEqual([
    [0.25, 0.75, 0],
    [0.25, 0.75, 2],
  ]);
  expect(down.defaultPrevented).toBe(true);
  expect(capture).toHaveBeenCalledWith(7);
  expect(line.turned).toHaveBeenCalledWith(99);
});

test("a second finger moves, presses and lets go of nothing, and the room hears none of it", () => {
  surface.focus();
  pointer("pointerdown", { buttons: 1, pointerId: 1 });
  line.pointerAt.mockClear();
  capture.mockClear();
  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"]) {
    const buttons = type === "pointerdown" || type === "pointermove" ? 1 : 0;
    pointer(type, { isPrimary: false, pointerId: 2, buttons, clientX: 90 });
  }
  expect(line.pointerAt).not.toHaveBeenCalled();
  expect(line.letGo).not.toHaveBeenCalled();
  expect(capture).not.toHaveBeenCalled();
  expect(roomHears).not.toHaveBeenCalled();
});

describe("Caps Lock", () => {
  const on = (userAgent: string) => vi.spyOn(navigator, "userAgent", "get").mockReturnValue(userAgent);
  const told = () => line.key.mock.calls.map(([event, down]) => `${event.code} ${down ? "down" : "up"}`);
  const MAC =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15";

  test.each(["keydown", "keyup"])("of a Mac is a tap, whether it goes on or off (%s)", (type) => {
    on(MAC);
    surface.focus();
    expect(key(type, "CapsLock").defaultPrevented).toBe(true);
    expect(told()).toEqual(["CapsLock down", "CapsLock up"]);
    line.key.mockClear();
    key("keydown", "KeyA");
    expect(told()).toEqual(["KeyA down"]);
  });

  test("elsewhere is held as long as it is down", () => {
    on("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36");
    surface.focus();
    key("keydown", "CapsLock");
    expect(told()).toEqual(["CapsLock down"]);
    key("keyup", "CapsLock");
    expect(told()).toEqual(["CapsLock down", "CapsLock up"]);
  });
});

test("no menu and no way back of the browser opens over the device", () => {
  surface.focus();
  for (const type of ["contextmenu", "auxclick", "mouseup"]) {
    const event = new MouseEvent(type, { bubbles: true, cancelable: true, button: 3 });
    surface.dispatchEvent(event);
    expect(event.defaultPrevented, type).toBe(true);
  }
});

test.each([
  [
    "the focus goes",
    () => {
      button.focus();
    },
  ],
  [
    "the window loses the keyboard",
    () => {
      window.dispatchEvent(new Event("blur"));
    },
  ],
  [
    "the pointer is taken away",
    () => {
      pointer("pointercancel");
    },
  ],
  [
    "the pointer leaves with no button down",
    () => {
      pointer("pointerleave", { buttons: 0 });
    },
  ],
  [
    "the surface goes",
    () => {
      stop();
    },
  ],
  [
    "the tab is hidden",
    () => {
      vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
      document.dispatchEvent(new Event("visibilitychange"));
    },
  ],
])("everything is let go when %s", (_, happens) => {
  surface.focus();
  line.letGo.mockClear();
  happens();
  expect(line.letGo).toHaveBeenCalled();
});

test("a drag beyond the edge lets go of nothing", () => {
  surface.focus();
  pointer("pointerleave", { buttons: 1 });
  expect(line.letGo).not.toHaveBeenCalled();
});
