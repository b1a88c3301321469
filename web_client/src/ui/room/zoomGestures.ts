import { DOUBLE_TAP_FACTOR, distance, isWhole, STEP, wheelFactor, type Point } from "./zoom";
import type { PictureZoom } from "./pictureZoom";

/** A finger or mouse that went no further than this has not moved, CSS px. */
const SLOP_PX = 6;
const DOUBLE_TAP_MS = 320;
const DOUBLE_TAP_PX = 36;
/** One line of a wheel that counts in lines. */
const WHEEL_LINE_PX = 33;
/** An arrow key moves the picture by this share of the box. */
const ARROW_SHARE = 0.12;

type Target = Pick<PictureZoom, "by" | "pan" | "pinch" | "whole" | "store" | "frame">;

/** Pointers on a picture → zoom and pan. Pure but for the zoom it changes: told positions and times, in box px and ms. */
export class ZoomPointers {
  private down = new Map<number, Point>();
  private start: Point | null = null;
  private lastTap: { at: Point; timeMs: number } | null = null;
  /** The gesture moved the picture: the click that ends it means nothing else. */
  moved = false;

  constructor(private readonly zoom: Target) {}

  pressed(id: number, at: Point): void {
    if (this.down.size === 0) {
      this.moved = false;
      this.start = at;
    } else this.start = null;
    if (this.down.size < 2) this.down.set(id, at);
    if (this.down.size === 2) this.moved = true;
  }

  /** True when the picture follows this pointer, so that the page should not. */
  travelled(id: number, at: Point): boolean {
    const before = this.down.get(id);
    if (before === undefined) return false;
    const [first, second] = [...this.down.keys()];
    const other = this.down.get((id === first ? second : first) ?? -1);
    if (other !== undefined) this.zoom.pinch([before, other], [at, other]);
    else if (!this.drags(at)) return false;
    else this.zoom.pan({ x: at.x - before.x, y: at.y - before.y });
    this.down.set(id, at);
    return true;
  }

  released(id: number, at: Point, timeMs: number, isTouch: boolean): void {
    if (!this.down.delete(id)) return;
    this.start = null;
    if (this.moved || !isTouch) return;
    const { lastTap } = this;
    const isDouble =
      lastTap !== null && timeMs - lastTap.timeMs < DOUBLE_TAP_MS && distance(lastTap.at, at) < DOUBLE_TAP_PX;
    this.lastTap = isDouble ? null : { at, timeMs };
    if (isDouble) this.doubleTapped(at);
  }

  cancelled(id: number): void {
    this.down.delete(id);
  }

  private drags(at: Point): boolean {
    if (isWhole(this.zoom.store.get())) return false;
    if (this.moved || this.start === null) return true;
    this.moved = distance(this.start, at) > SLOP_PX;
    return this.moved;
  }

  private doubleTapped(at: Point): void {
    if (isWhole(this.zoom.store.get())) this.zoom.by(DOUBLE_TAP_FACTOR, at);
    else this.zoom.whole();
  }
}

/** The wheel's way in px, whatever unit it counts in. */
export function wheelPx({ deltaY, deltaMode }: Pick<WheelEvent, "deltaY" | "deltaMode">): number {
  return deltaMode === 0 ? deltaY : deltaY * WHEEL_LINE_PX;
}

const ARROWS: Partial<Record<string, Point>> = {
  ArrowLeft: { x: 1, y: 0 },
  ArrowRight: { x: -1, y: 0 },
  ArrowUp: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 },
};

/** `+ − 0`, and the arrows of a zoomed picture. False: not a key of ours. */
export function zoomKey(key: string, zoom: Target): boolean {
  const arrow = ARROWS[key];
  if (key === "+" || key === "=") zoom.by(STEP);
  else if (key === "-" || key === "_" || key === "−") zoom.by(1 / STEP);
  else if (key === "0") zoom.whole();
  else if (arrow === undefined || isWhole(zoom.store.get())) return false;
  else {
    const { width, height } = zoom.frame.box;
    zoom.pan({ x: arrow.x * width * ARROW_SHARE, y: arrow.y * height * ARROW_SHARE });
  }
  return true;
}

/** Somebody types, or a list, a panel or a dialog has its own use for the keys. */
export function keepsKeys(target: EventTarget | null): boolean {
  const element = target as Partial<Element> | null;
  return (
    typeof element?.closest === "function" &&
    element.closest("input, textarea, select, [contenteditable], dialog, aside, [data-own-keys]") !== null
  );
}

/** Wheel, pointers and keys of one picture's box. Returns how to stop listening. */
export function watchGestures(box: HTMLElement, zoom: PictureZoom): () => void {
  const page = box.ownerDocument.defaultView ?? window;
  const pointers = new ZoomPointers(zoom);
  const controller = new AbortController();
  const { signal } = controller;
  const at = (event: MouseEvent): Point => {
    const { left, top } = box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    zoom.by(wheelFactor(wheelPx(event)), at(event));
  };
  const down = (event: PointerEvent) => {
    if (event.button === 0) pointers.pressed(event.pointerId, at(event));
  };
  const move = (event: PointerEvent) => {
    if (!pointers.travelled(event.pointerId, at(event))) return;
    if (!box.hasPointerCapture(event.pointerId)) box.setPointerCapture(event.pointerId);
  };
  const up = (event: PointerEvent) => {
    pointers.released(event.pointerId, at(event), event.timeStamp, event.pointerType === "touch");
  };
  const cancel = (event: PointerEvent) => {
    pointers.cancelled(event.pointerId);
  };
  const click = (event: MouseEvent) => {
    if (pointers.moved && event.detail > 0) event.stopPropagation();
  };
  const key = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (keepsKeys(event.target) || box.ownerDocument.querySelector("dialog[open]") !== null) return;
    if (zoomKey(event.key, zoom)) event.preventDefault();
  };
  box.addEventListener("wheel", wheel, { signal, passive: false });
  box.addEventListener("pointerdown", down, { signal });
  box.addEventListener("pointermove", move, { signal });
  box.addEventListener("pointerup", up, { signal });
  box.addEventListener("pointercancel", cancel, { signal });
  box.addEventListener("click", click, { signal, capture: true });
  page.addEventListener("keydown", key, { signal });
  return () => {
    controller.abort();
  };
}
