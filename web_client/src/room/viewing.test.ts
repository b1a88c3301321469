// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HIDDEN_AFTER_MS, type ShownView } from "./shownViews";
import { APART_MS, Viewing } from "./viewing";

let resized: () => void;
let said: { atMs: number; views: ShownView[] }[];
let joined: boolean;
let standing: (() => void)[];
let viewing: Viewing;

class FakeResizeObserver {
  constructor(changed: () => void) {
    resized = changed;
  }
  observe(): void {
    resized();
  }
  disconnect(): void {
    resized = () => undefined;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("ResizeObserver", FakeResizeObserver);
  [said, joined, standing] = [[], true, []];
  viewing = new Viewing({
    say: (views) => {
      if (joined) said.push({ atMs: performance.now(), views });
      return joined;
    },
    now: () => performance.now(),
  });
});
afterEach(() => {
  for (const gone of standing) gone();
  viewing.close();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function video(width: number): HTMLVideoElement {
  const element = document.createElement("video");
  Object.defineProperties(element, {
    clientWidth: { value: width, writable: true },
    clientHeight: { get: () => (element.clientWidth * 9) / 16 },
  });
  return element;
}

function place(trackId: string, element: HTMLVideoElement, focus = false): () => void {
  const gone = viewing.place({ element, trackId, focus: () => focus, zoom: () => 1 });
  standing.push(gone);
  return gone;
}
const told = () => said.map(({ views }) => views.map(({ track_id: id, width }) => [id, width]));
const visibility = (state: DocumentVisibilityState) => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
};

test("pictures that come on a page together are told together", () => {
  place("u", video(640), true);
  place("v", video(320));
  vi.advanceTimersByTime(100);
  expect(told()).toEqual([
    [
      ["u", 640],
      ["v", 320],
    ],
  ]);
});

test("a window that is drawn larger is told of now and then, and at its end", () => {
  const element = video(320);
  place("u", element);
  for (let width = 320; width <= 640; width += 16) {
    Object.assign(element, { clientWidth: width });
    resized();
    vi.advanceTimersByTime(50);
  }
  vi.advanceTimersByTime(APART_MS);
  expect(told().at(-1)).toEqual([["u", 640]]);
  expect(said.length).toBeGreaterThan(2);
  const gaps = said.slice(1).map(({ atMs }, index) => atMs - (said[index]?.atMs ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(APART_MS);
});

test("what has not changed is not told again", () => {
  place("u", video(320));
  vi.advanceTimersByTime(1_000);
  resized();
  vi.advanceTimersByTime(1_000);
  expect(said).toHaveLength(1);
});

test("a picture that leaves the page is no longer told of", () => {
  place("u", video(640));
  const gone = place("v", video(320));
  vi.advanceTimersByTime(1_000);
  gone();
  vi.advanceTimersByTime(1_000);
  expect(told().at(-1)).toEqual([["u", 640]]);
});

test("on a page nobody sees for seconds only the focus stays, and everything is back with the page", () => {
  place("u", video(640), true);
  place("v", video(320));
  vi.advanceTimersByTime(1_000);
  visibility("hidden");
  vi.advanceTimersByTime(HIDDEN_AFTER_MS - 100);
  expect(said).toHaveLength(1);
  vi.advanceTimersByTime(200);
  expect(told().at(-1)).toEqual([["u", 640]]);
  visibility("visible");
  vi.advanceTimersByTime(APART_MS);
  expect(told().at(-1)).toHaveLength(2);
});

test("a change is told at once, also while a hidden page is waited for", () => {
  const element = video(320);
  place("u", element);
  vi.advanceTimersByTime(1_000);
  visibility("hidden");
  vi.advanceTimersByTime(1_000);
  Object.assign(element, { clientWidth: 640 });
  resized();
  vi.advanceTimersByTime(APART_MS);
  expect(told().at(-1)).toEqual([["u", 640]]);
});

test("what could not be said is said when the room is back; a new seat is told again", () => {
  joined = false;
  place("u", video(320));
  vi.advanceTimersByTime(1_000);
  expect(said).toEqual([]);
  joined = true;
  viewing.repeat();
  vi.advanceTimersByTime(APART_MS);
  viewing.repeat();
  vi.advanceTimersByTime(APART_MS);
  expect(told()).toEqual([[["u", 320]], [["u", 320]]]);
});

test("before a picture was ever shown nothing is told: the server has its own idea of that", () => {
  viewing.repeat();
  vi.advanceTimersByTime(1_000);
  expect(said).toEqual([]);
});
