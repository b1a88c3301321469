import { HIDDEN_AFTER_MS, sameViews, shownViews, type PlacedPicture, type ShownView } from "./shownViews";

/** Time for a page to settle after a change: many pictures move together. */
const SETTLE_MS = 50;
/** Between two messages. */
export const APART_MS = 300;

export interface ViewingParts {
  /** False: it could not be said now. */
  say: (views: ShownView[]) => boolean;
  /** Monotonic, ms. */
  now: () => number;
}

/** A picture that stands on some page, as it is now. */
export interface Placed {
  element: HTMLVideoElement;
  trackId: string;
  focus: () => boolean;
  zoom: () => number;
}

/** Knows which pictures are on screen, and how large, in all windows; keeps the server told. */
export class Viewing {
  private placed = new Set<Placed>();
  private hidden = new Map<Document, number>();
  private told: readonly ShownView[] | null = null;
  private toldMs = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueMs = Infinity;

  constructor(private readonly parts: ViewingParts) {}

  /** A picture is on a page from now on. Returns how to say that it no longer is. */
  place(picture: Placed): () => void {
    const { element } = picture;
    const page = element.ownerDocument;
    const changed = () => {
      this.changed();
    };
    const seen = () => {
      this.pageSeen(page);
    };
    const observer = new (page.defaultView ?? window).ResizeObserver(changed);
    this.placed.add(picture);
    observer.observe(element);
    element.addEventListener("resize", changed);
    page.addEventListener("visibilitychange", seen);
    page.addEventListener("fullscreenchange", changed);
    seen();
    return () => {
      this.placed.delete(picture);
      observer.disconnect();
      element.removeEventListener("resize", changed);
      page.removeEventListener("visibilitychange", seen);
      page.removeEventListener("fullscreenchange", changed);
      if (![...this.placed].some((other) => other.element.ownerDocument === page)) this.hidden.delete(page);
      this.changed();
    };
  }

  /** Something about what is shown may be different: it is looked at soon. */
  changed(): void {
    this.lookIn(Math.max(SETTLE_MS, this.toldMs + APART_MS - this.parts.now()));
  }

  /** The room is there, or there again: it may know nothing of this. */
  repeat(): void {
    if (this.told === null && this.placed.size === 0) return;
    this.told = null;
    this.changed();
  }

  close(): void {
    clearTimeout(this.timer);
    this.dueMs = Infinity;
  }

  private pageSeen(page: Document): void {
    if (page.visibilityState === "visible") this.hidden.delete(page);
    else if (!this.hidden.has(page)) this.hidden.set(page, this.parts.now());
    this.changed();
  }

  /** The earliest wish counts. */
  private lookIn(waitMs: number): void {
    const dueMs = this.parts.now() + waitMs;
    if (dueMs >= this.dueMs) return;
    this.close();
    this.dueMs = dueMs;
    this.timer = setTimeout(() => {
      this.dueMs = Infinity;
      this.look();
    }, waitMs);
  }

  private look(): void {
    const nowMs = this.parts.now();
    const views = shownViews(
      [...this.placed].map((one) => this.measured(one)),
      nowMs,
    );
    if (this.told === null || !sameViews(views, this.told)) {
      this.told = this.parts.say(views) ? views : null;
      this.toldMs = nowMs;
    }
    const freshlyHidden = [...this.hidden.values()].filter((sinceMs) => nowMs - sinceMs < HIDDEN_AFTER_MS);
    if (freshlyHidden.length > 0) this.lookIn(Math.min(...freshlyHidden) + HIDDEN_AFTER_MS - nowMs);
  }

  private measured({ element, trackId, focus, zoom }: Placed): PlacedPicture {
    const page = element.ownerDocument;
    return {
      trackId,
      box: { width: element.clientWidth, height: element.clientHeight },
      picture: { width: element.videoWidth, height: element.videoHeight },
      ratio: page.defaultView?.devicePixelRatio ?? 1,
      zoom: zoom(),
      focus: focus(),
      hiddenSinceMs: this.hidden.get(page) ?? null,
      // Where there is no full screen at all, nothing is covered.
      covered: page.fullscreenElement?.contains(element) === false,
    };
  }
}
