import type { PictureZoom } from "../ui/room/pictureZoom";
import { toPicture, type Point } from "../ui/room/zoom";
import { videoUnder, viewOf } from "./canvasLoop";
import type { DrawingDesk } from "./desk";
import type { FeedDrawings } from "./feedDrawings";
import { rounded } from "./geometry";
import type { HeldFrame } from "./held";
import { Gesture, looks, SAY_EVERY_MS, type Touch } from "./gesture";
import { possibleAnchor, type Tools } from "./toolbox";
import { unmoved } from "./visible";

/** Letters are as high as this share of the picture. */
const LETTERS = 0.04;

/** Where a text begins: in the picture, and in px of its box. */
export interface TextSpot {
  place: Point & { capturedUs: number | null };
  shown: Point;
}

export interface HandParts {
  canvas: HTMLCanvasElement;
  desk: DrawingDesk;
  drawings: FeedDrawings;
  feed: string;
  zoom: () => PictureZoom | null;
  shownUs: () => number | null;
  /** The box of this feed follows tissue. */
  follows: () => boolean;
  held: HeldFrame;
  /** On a still everything stays with its frame, whatever is chosen for live pictures. */
  isStill?: boolean;
  /** A text begins there. */
  write: (at: TextSpot) => void;
}

/** Pointer events on a picture's canvas → gestures, pointers, texts. Mouse, finger and stylus alike. */
export class Hand {
  private gesture: { is: Gesture; pointer: number } | null = null;
  private points = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: HandParts) {}

  /** To the canvas itself: what is drawn never reaches the picture's own gestures. Returns how to stop. */
  listen(): () => void {
    const { canvas } = this.parts;
    const controller = new AbortController();
    const { signal } = controller;
    const draws = () => this.parts.desk.toolbox.store.get().tool !== "hand";
    const ours = (event: Event) => {
      if (draws()) event.stopPropagation();
    };
    const on = (type: string, act: (event: PointerEvent) => void) => {
      canvas.addEventListener(
        type,
        (event) => {
          act(event as PointerEvent);
        },
        { signal },
      );
    };
    on("pointerdown", (event) => {
      this.down(event);
    });
    on("pointermove", (event) => {
      this.move(event);
    });
    on("pointerup", (event) => {
      this.up(event);
    });
    on("pointercancel", () => {
      this.cancel();
    });
    on("pointerleave", () => {
      this.left();
    });
    // Two quick strokes are no double click on the picture.
    for (const type of ["click", "dblclick"]) canvas.addEventListener(type, ours, { signal });
    return () => {
      controller.abort();
    };
  }

  private down(event: PointerEvent): void {
    const { tool } = this.parts.desk.toolbox.store.get();
    if (tool === "hand" || event.button !== 0) return;
    // The picture under it neither moves nor is clicked.
    event.stopPropagation();
    const at = this.placeOf(event);
    if (tool === "pointer") {
      this.point(at);
      return;
    }
    if (this.gesture !== null || !isInside(at)) {
      this.cancel();
      return;
    }
    if (tool === "text") {
      event.preventDefault();
      const { left, top } = this.parts.canvas.getBoundingClientRect();
      const place = { ...at, capturedUs: this.drawnOn() };
      this.parts.write({ place, shown: { x: event.clientX - left, y: event.clientY - top } });
      return;
    }
    this.parts.canvas.setPointerCapture(event.pointerId);
    this.gesture = { is: this.begin(tool, { ...at, pressure: pressureOf(event) }), pointer: event.pointerId };
  }

  private move(event: PointerEvent): void {
    const { tool } = this.parts.desk.toolbox.store.get();
    if (tool === "hand") return;
    event.stopPropagation();
    if (tool === "pointer") this.point(this.placeOf(event));
    if (this.gesture?.pointer !== event.pointerId) return;
    // Between two frames a stylus reports more places than one.
    const all = event.getCoalescedEvents();
    const touches = (all.length === 0 ? [event] : all).map((one) => ({
      ...this.placeOf(one),
      pressure: pressureOf(one),
    }));
    this.gesture.is.move(touches, performance.now());
    // What came just now is said even when the pen rests.
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, SAY_EVERY_MS);
  }

  private up(event: PointerEvent): void {
    if (this.gesture?.pointer === event.pointerId) {
      this.gesture.is.end();
      this.gesture = null;
      this.parts.held.release();
    }
    if (event.pointerType !== "mouse") this.left();
  }

  /** Another finger came, or the browser took the gesture. */
  private cancel(): void {
    this.gesture?.is.cancel();
    this.gesture = null;
    this.parts.held.release();
    this.left();
  }

  /** Nothing is pointed at any more. */
  private left(): void {
    if (!this.points) return;
    this.points = false;
    this.parts.desk.point(this.parts.feed, null, null);
  }

  /** What was drawn is said when it is time. */
  flush(): void {
    this.gesture?.is.flush(performance.now());
  }

  /** The picture is gone, or drawn anew: what was drawn until now stays. */
  letGo(): void {
    clearTimeout(this.timer);
    this.gesture?.is.end();
    this.gesture = null;
    this.parts.held.end();
    this.left();
  }

  /** `place.capturedUs`: of the frame that was shown when the text was begun. */
  place(text: string, at: TextSpot["place"]): void {
    const { drawings } = this.parts;
    this.parts.held.release();
    const mark = {
      ...looks(this.tools(at.capturedUs), at.capturedUs),
      mark_id: crypto.randomUUID(),
      tool: "text" as const,
      width: LETTERS,
      points: [rounded(at.x), rounded(at.y)],
      text,
    };
    drawings.do({ op: "add", mark });
  }

  private begin(tool: "pen" | "arrow" | "ellipse" | "rectangle" | "ruler", first: Touch): Gesture {
    const { drawings, shownUs } = this.parts;
    const capturedUs = this.drawnOn();
    const tools = this.tools(capturedUs);
    const parts = {
      drawings,
      tools,
      tool,
      capturedUs,
      scale: drawings.calibration?.scale ?? null,
      settle: (markId: string, touch: Touch) => {
        const told = tools.anchor === "tissue" ? drawings.motions.at(markId, shownUs() ?? 0) : null;
        return told === null || told.motion.state === "lost" ? touch : unmoved(told.motion.motion, touch);
      },
      newId: () => crypto.randomUUID(),
    };
    return new Gesture(parts, first);
  }

  /** Capture time of the frame under the hand; drawn for that frame alone, it stands still meanwhile. */
  private drawnOn(): number | null {
    const { canvas, desk, held, shownUs } = this.parts;
    const [us, video] = [shownUs(), videoUnder(canvas)];
    const holds = desk.toolbox.store.get().anchor === "frame" && us !== null && video !== null;
    return holds ? held.take(video, us) : us;
  }

  /** What cannot be kept with a frame or the tissue here stays with the screen; the tools show that, too. */
  private tools(capturedUs: number | null): Tools {
    const { desk, follows, isStill = false } = this.parts;
    const tools = desk.toolbox.store.get();
    if (isStill) return { ...tools, anchor: "frame" };
    const anchor = capturedUs === null ? "screen" : possibleAnchor(tools.anchor, follows());
    return { ...tools, anchor };
  }

  private point(at: Point): void {
    if (!isInside(at)) {
      this.left();
      return;
    }
    this.points = true;
    const { desk, feed, shownUs } = this.parts;
    const captured = shownUs();
    const place = { x: rounded(at.x), y: rounded(at.y) };
    desk.point(feed, place, captured === null ? null : Math.round(captured));
  }

  private placeOf(event: PointerEvent): Point {
    const { canvas, zoom } = this.parts;
    const { left, top } = canvas.getBoundingClientRect();
    const view = viewOf(canvas, zoom());
    return toPicture({ x: event.clientX - left, y: event.clientY - top }, view.zoom, view.frame);
  }
}

const isInside = ({ x, y }: Point) => x >= 0 && x <= 1 && y >= 0 && y <= 1;

/** Mice and most fingers report a constant; only a stylus is believed. */
const pressureOf = ({ pointerType, pressure }: PointerEvent) => (pointerType === "pen" ? pressure : null);
