import { Store } from "../room/store";

/** The result is seen for a moment before the picture goes on. */
const AFTER_MS = 700;
/** An older copy is of a video that is not shown here any more. */
const YOUNG_US = 100_000;
/** Two frames are farther from each other. */
const SAME_US = 1_000;
/** `HAVE_CURRENT_DATA`. */
const HAS_FRAME = 2;

export interface Held {
  picture: HTMLCanvasElement;
  /** Capture time of that frame, Unix µs. */
  shownUs: number;
}

/** While something is drawn on one very frame, that frame stands still under the hand that draws; nobody else's does. */
export class HeldFrame {
  readonly store = new Store<Held | null>(null);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private latest: Held | null = null;
  /** This browser says which frame a video shows as it does when it tells of one. */
  private tells = false;

  /**
   * Every frame is copied when the page is told of it: later the video may show one more. Where it does so already,
   * there is no copy of that one. Returns how to stop.
   */
  follow(video: HTMLVideoElement, shownUs: () => number | null): () => void {
    let handle = 0;
    const copy = (_now: number, { mediaTime }: VideoFrameCallbackMetadata) => {
      handle = video.requestVideoFrameCallback(copy);
      const us = shownUs();
      if (us === null || this.store.get() !== null) return;
      const frame = frameOf(video);
      const same = frame !== null && Math.abs(frame.timestamp - mediaTime * 1e6) < SAME_US;
      this.tells ||= same;
      if (same || !this.tells) this.latest = copied(video, us, this.latest?.picture, frame ?? video);
      frame?.close();
    };
    handle = video.requestVideoFrameCallback(copy);
    return () => {
      video.cancelVideoFrameCallback(handle);
      this.latest = null;
    };
  }

  /** Held already, it goes on being held: several marks on one frame. Returns its capture time. */
  take(video: HTMLVideoElement, shownUs: number): number {
    clearTimeout(this.timer);
    const isNew = this.latest !== null && shownUs - this.latest.shownUs < YOUNG_US;
    const held = this.store.get() ?? (isNew ? this.latest : null) ?? copied(video, shownUs);
    this.latest = null;
    this.store.set(held);
    return held.shownUs;
  }

  /** Nothing is drawn any more. */
  release(): void {
    if (this.store.get() === null) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.store.set(null);
    }, AFTER_MS);
  }

  end(): void {
    clearTimeout(this.timer);
    this.store.set(null);
  }
}

/** What a video shows at this very moment; null: this browser, or a page without encryption, does not say. */
function frameOf(video: HTMLVideoElement): VideoFrame | null {
  return "VideoFrame" in globalThis && video.readyState >= HAS_FRAME ? new VideoFrame(video) : null;
}

function copied(
  video: HTMLVideoElement,
  shownUs: number,
  onto?: HTMLCanvasElement,
  from: CanvasImageSource = video,
): Held {
  const picture = onto ?? video.ownerDocument.createElement("canvas");
  picture.width = video.videoWidth;
  picture.height = video.videoHeight;
  picture.getContext("2d")?.drawImage(from, 0, 0, picture.width, picture.height);
  return { picture, shownUs };
}
