// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DrawingDesk } from "./desk";
import { Hand } from "./hand";
import { HeldFrame } from "./held";

let box: HTMLElement;
let canvas: HTMLCanvasElement;
let desk: DrawingDesk;
let stop: () => void;
let held: HeldFrame;
let shownUs: number | null;
const heard = vi.fn();

beforeEach(() => {
  box = document.body.appendChild(document.createElement("div"));
  box.className = "picture";
  canvas = box.appendChild(document.createElement("canvas"));
  canvas.setPointerCapture = () => undefined;
  Object.defineProperties(canvas, { clientWidth: { value: 1600 }, clientHeight: { value: 900 } });
  canvas.getBoundingClientRect = () => new DOMRect(0, 0, 1600, 900);
  desk = new DrawingDesk({
    say: () => true,
    newId: () => crypto.randomUUID(),
    nowMs: () => 0,
    serverTimeUs: () => 0,
    later: () => undefined,
  });
  const participant = { participant_id: "p", name: "Li", role: "site", person: "u_li" };
  desk.received({ type: "welcome", participant, host: true } as never);
  const parts = { canvas, desk, drawings: desk.of("us"), feed: "us", zoom: () => null };
  held = new HeldFrame();
  shownUs = null;
  const seen = { shownUs: () => held.store.get()?.shownUs ?? shownUs, follows: () => true, held };
  stop = new Hand({ ...parts, ...seen, write: () => undefined }).listen();
  heard.mockReset();
  for (const type of ["pointerdown", "pointermove", "dblclick"]) box.addEventListener(type, heard);
});
afterEach(() => {
  stop();
  box.remove();
});

function send(type: string, x: number, y: number): void {
  const init = { bubbles: true, clientX: x, clientY: y, pointerId: 1, button: 0, pointerType: "mouse" };
  const event = new PointerEvent(type, init);
  event.getCoalescedEvents = () => [];
  canvas.dispatchEvent(event);
}

test("what is drawn neither moves the picture under it nor fills the screen", () => {
  desk.toolbox.set({ tool: "pen" });
  send("pointerdown", 400, 450);
  send("pointermove", 800, 450);
  send("dblclick", 800, 450);
  expect(heard).not.toHaveBeenCalled();
  expect(desk.of("us").marks()).toMatchObject([{ points: [0.25, 0.5, 0.5, 0.5] }]);
});

test("without a tool in the hand the picture has its gestures", () => {
  send("pointerdown", 400, 450);
  send("dblclick", 400, 450);
  expect(heard).toHaveBeenCalledTimes(2);
  expect(desk.of("us").marks()).toEqual([]);
});

function showVideo(): void {
  const video = box.appendChild(document.createElement("video"));
  Object.defineProperties(video, { videoWidth: { value: 1600 }, videoHeight: { value: 900 } });
}

test("drawn for one frame, that frame stands still under the hand and is the one the mark belongs to", () => {
  vi.useFakeTimers();
  showVideo();
  desk.toolbox.set({ tool: "pen", anchor: "frame" });
  shownUs = 5_000_000;
  send("pointerdown", 400, 450);
  shownUs = 6_000_000;
  send("pointermove", 800, 450);
  expect(held.store.get()?.shownUs).toBe(5_000_000);
  send("pointerup", 800, 450);
  expect(desk.of("us").marks()).toMatchObject([{ anchor: "frame", captured_us: 5_000_000 }]);
  vi.advanceTimersByTime(1_000);
  expect(held.store.get()).toBeNull();
  vi.useRealTimers();
});

test("the frame that is held is the one the page was told of, not the one the video has gone on to", () => {
  vi.useFakeTimers();
  showVideo();
  const video = document.querySelectorAll("video")[0];
  if (video === undefined) throw new Error("there is no video");
  const told: (() => void)[] = [];
  video.requestVideoFrameCallback = (callback) =>
    told.push(() => {
      callback(0, {} as never);
    });
  video.cancelVideoFrameCallback = () => undefined;
  const stop = held.follow(video, () => 5_000_000);
  told[0]?.();
  expect(held.take(video, 5_033_000)).toBe(5_000_000);
  held.release();
  vi.advanceTimersByTime(1_000);
  expect(held.take(video, 7_000_000), "nothing was told for long").toBe(7_000_000);
  held.end();
  told[1]?.();
  stop();
  expect(held.take(video, 5_033_000), "nobody follows any more").toBe(5_033_000);
  vi.useRealTimers();
});

test("what the video shows is not taken for the frame the page is told of when it is the next one already", () => {
  showVideo();
  const video = document.querySelectorAll("video")[0];
  if (video === undefined) throw new Error("there is no video");
  Object.defineProperty(video, "readyState", { value: 4 });
  let showsUs = 0;
  const close = vi.fn();
  vi.stubGlobal(
    "VideoFrame",
    class {
      readonly timestamp = showsUs;
      readonly close = close;
    },
  );
  let tell: (mediaTime: number) => void = () => undefined;
  video.requestVideoFrameCallback = (callback) => {
    tell = (mediaTime) => {
      callback(0, { mediaTime } as never);
    };
    return 1;
  };
  video.cancelVideoFrameCallback = () => undefined;
  let toldUs = 5_000_000;
  const stop = held.follow(video, () => toldUs);
  showsUs = 100_000;
  tell(0.1);
  toldUs = 5_033_000;
  showsUs = 166_667;
  tell(0.133333);
  expect(held.take(video, toldUs)).toBe(5_000_000);
  expect(close).toHaveBeenCalledTimes(2);
  stop();
  vi.unstubAllGlobals();
});

test("drawn on tissue that has moved since the stroke began, ink stays under the pen", () => {
  showVideo();
  desk.toolbox.set({ tool: "pen", anchor: "tissue" });
  shownUs = 5_000_000;
  send("pointerdown", 400, 450);
  send("pointermove", 800, 450);
  const [begun] = desk.of("us").marks();
  shownUs = 5_033_000;
  const moved = { mark_id: begun?.mark_id, motion: [1, 0, 0, 1, 0.1, 0.2], confidence: 1, state: "held" };
  desk.received({ type: "marks_moved", feed: "us", captured_us: shownUs, marks: [moved] } as never);
  send("pointermove", 1120, 630);
  send("pointerup", 1120, 630);
  const [mark] = desk.of("us").marks();
  expect(mark).toMatchObject({ anchor: "tissue", captured_us: 5_000_000 });
  expect(mark?.points).toEqual([0.25, 0.5, 0.5, 0.5, 0.6, 0.5]);
});

test("where nobody knows which frame is shown, drawings stay with the screen", () => {
  desk.toolbox.set({ tool: "pen", anchor: "tissue" });
  send("pointerdown", 400, 450);
  send("pointermove", 800, 450);
  expect(desk.of("us").marks()).toMatchObject([{ anchor: "screen" }]);
});
