import type { Mark } from "../protocol/messages";
import type { PictureZoom } from "../ui/room/pictureZoom";
import { WHOLE, type Frame } from "../ui/room/zoom";
import type { DrawingDesk } from "./desk";
import type { FeedDrawings } from "./feedDrawings";
import type { HeldFrame } from "./held";
import { Painter, type View, type Words } from "./paint";
import { seenMarks, type Seen } from "./visible";

const MOST_DENSITY = 3;
/** What is doubtful may change with every frame; the words about it do not. */
const SAY_EVERY_MS = 500;

/** How many marks are unsure of their place, have lost it, belong to other frames. */
export type Doubts = readonly [unsure: number, lost: number, elsewhere: number];

export interface LoopParts {
  canvas: HTMLCanvasElement;
  desk: DrawingDesk;
  drawings: FeedDrawings;
  /** Of a picture that is zoomed here; null: it is shown whole. */
  zoom: () => PictureZoom | null;
  /** Capture time of the frame on screen, Unix µs. */
  shownUs: () => number | null;
  words: Words;
  held: HeldFrame;
  /** Which drawings are shown here, whatever the frame; all by default. */
  only?: (marks: readonly Mark[]) => readonly Mark[];
  /** Called when these have changed. */
  doubts: (doubts: Doubts) => void;
  /** With every frame while something is drawn. */
  everyFrame: () => void;
}

/** The picture that is drawn on; null while it has none. */
export function videoUnder(canvas: HTMLCanvasElement): HTMLVideoElement | null {
  const video = canvas.closest(".picture")?.querySelector("video");
  return video && video.videoWidth > 0 ? video : null;
}

/** The size of the picture under a canvas: a live one, or a still. */
function sizeUnder(canvas: HTMLCanvasElement): Frame["picture"] {
  const video = videoUnder(canvas);
  if (video !== null) return { width: video.videoWidth, height: video.videoHeight };
  const still = canvas.closest(".picture")?.querySelector<HTMLImageElement>("img.still-picture");
  return still && still.naturalWidth > 0
    ? { width: still.naturalWidth, height: still.naturalHeight }
    : { width: 16, height: 9 };
}

/** Where the picture stands under a canvas that covers its box. */
export function viewOf(canvas: HTMLCanvasElement, zoom: PictureZoom | null): View {
  const box = { width: canvas.clientWidth, height: canvas.clientHeight };
  const frame: Frame = { box, picture: sizeUnder(canvas) };
  const density = Math.min(canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1, MOST_DENSITY);
  return { zoom: zoom?.store.get() ?? WHOLE, frame, density };
}

/** Draws whenever something changed, and with every frame while something moves. Returns how to stop. */
export function runCanvas(parts: LoopParts): () => void {
  const { canvas, desk, drawings } = parts;
  const page = canvas.ownerDocument.defaultView ?? window;
  const context = canvas.getContext("2d");
  if (context === null) return () => undefined;
  const painter = new Painter();
  const tell = slowly(parts.doubts);
  let due = 0;
  let [changed, moves, shown] = [true, false, NaN as number | null];
  const draw = () => {
    due = 0;
    parts.everyFrame();
    const held = parts.held.store.get();
    const shownUs = held === null ? parts.shownUs() : held.shownUs;
    const marks = parts.only?.(drawings.marks()) ?? drawings.marks();
    if (changed || moves || shownUs !== shown) {
      [changed, shown] = [false, shownUs];
      const nowUs = desk.nowUs();
      const seen = seenMarks(marks, { shownUs, nowUs, motions: drawings.motions });
      const pointers = drawings.livePointers(performance.now());
      const scene = { seen, pointers, nowUs, words: parts.words, held: held?.picture ?? null };
      const view = viewOf(canvas, parts.zoom());
      resize(canvas, view);
      moves = painter.draw(context, view, scene);
      canvas.dataset["marks"] = String(marks.length);
      tell(doubtsOf(marks, seen));
    }
    if (moves || marks.some(({ anchor }) => anchor !== "screen")) wait();
  };
  const wait = () => {
    if (due === 0) due = page.requestAnimationFrame(draw);
  };
  const ask = () => {
    changed = true;
    wait();
  };
  const stops = [
    drawings.version.subscribe(ask),
    parts.held.store.subscribe(ask),
    parts.zoom()?.store.subscribe(ask),
    watchSizes(canvas, ask),
  ];
  ask();
  return () => {
    page.cancelAnimationFrame(due);
    for (const stop of stops) stop?.();
  };
}

function resize(canvas: HTMLCanvasElement, { frame, density }: View): void {
  const [width, height] = [Math.round(frame.box.width * density), Math.round(frame.box.height * density)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

const countOf = <One>(all: readonly One[], is: (one: One) => boolean) => all.filter(is).length;

function doubtsOf(marks: readonly Mark[], seen: readonly Seen[]): Doubts {
  const elsewhere =
    countOf(marks, ({ anchor }) => anchor === "frame") - countOf(seen, ({ mark }) => mark.anchor === "frame");
  const unsure = countOf(seen, ({ doubt }) => doubt === "unsure");
  return [unsure, countOf(seen, ({ doubt }) => doubt === "lost"), elsewhere];
}

/** Half a second after a change the newest is told. */
function slowly(tell: (doubts: Doubts) => void): (doubts: Doubts) => void {
  let newest: Doubts = [0, 0, 0];
  let told = String(newest);
  let waits = false;
  return (doubts) => {
    newest = doubts;
    if (waits || String(doubts) === told) return;
    waits = true;
    setTimeout(() => {
      waits = false;
      told = String(newest);
      tell(newest);
    }, SAY_EVERY_MS);
  };
}

/** The box's size, and the picture's, which may change while it is shown. */
function watchSizes(canvas: HTMLCanvasElement, changed: () => void): () => void {
  const box = canvas.closest(".picture");
  const observer = new (canvas.ownerDocument.defaultView ?? window).ResizeObserver(changed);
  observer.observe(canvas);
  box?.addEventListener("resize", changed, true);
  box?.addEventListener("loadedmetadata", changed, true);
  box?.addEventListener("load", changed, true);
  return () => {
    observer.disconnect();
    box?.removeEventListener("resize", changed, true);
    box?.removeEventListener("loadedmetadata", changed, true);
    box?.removeEventListener("load", changed, true);
  };
}
