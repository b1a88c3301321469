import type { SetView } from "../protocol/messages";

export type ShownView = SetView["views"][number];

/** What the server takes. */
const MOST_VIEWS = 64;
const MOST_PIXELS = 16_384;
/** A page that is hidden for longer is not looked at: somebody who only switches windows loses nothing. */
export const HIDDEN_AFTER_MS = 5_000;
/** Sizes are told in such steps: a window that is drawn larger need not be told of at every pixel. */
const STEP_PX = 16;
const USUAL = { width: 16, height: 9 };

interface Size {
  width: number;
  height: number;
}

/** One picture where it stands on some page. */
export interface PlacedPicture {
  trackId: string;
  /** The box it is shown in, CSS px. */
  box: Size;
  /** The picture's own size; zeros before its first frame. */
  picture: Size;
  /** Pixels of the screen for one CSS px, and by how much it is zoomed. */
  ratio: number;
  zoom: number;
  focus: boolean;
  /** Since when its page is hidden, ms; null: it can be seen. */
  hiddenSinceMs: number | null;
  /** Another picture fills the screen. */
  covered: boolean;
}

/**
 * In how many pixels each picture is shown, the one in focus first. A picture that is shown twice counts as the larger
 * one. On a page nobody looks at only the picture in focus is shown: it has to be there at once.
 */
export function shownViews(placed: readonly PlacedPicture[], nowMs: number): ShownView[] {
  const views = new Map<string, ShownView>();
  for (const one of placed.filter((picture) => isShown(picture, nowMs))) {
    const { width, height } = pixels(one);
    if (width === 0 || height === 0) continue;
    const known = views.get(one.trackId);
    const larger = known !== undefined && area(known) > width * height ? known : { width, height };
    const focus = one.focus || (known?.focus ?? false);
    views.set(one.trackId, { track_id: one.trackId, width: larger.width, height: larger.height, focus });
  }
  const byWorth = (a: ShownView, b: ShownView) => Number(b.focus) - Number(a.focus) || area(b) - area(a);
  return [...views.values()].sort(byWorth).slice(0, MOST_VIEWS);
}

function isShown({ focus, hiddenSinceMs, covered }: PlacedPicture, nowMs: number): boolean {
  if (hiddenSinceMs !== null && nowMs - hiddenSinceMs >= HIDDEN_AFTER_MS) return focus;
  return !covered;
}

/** The picture stands whole inside its box: what is beside it costs nothing. */
function pixels({ box, picture, ratio, zoom }: PlacedPicture): Size {
  const { width, height } = picture.width > 0 && picture.height > 0 ? picture : USUAL;
  const scale = Math.min(box.width / width, box.height / height) * ratio * zoom;
  return { width: stepped(width * scale), height: stepped(height * scale) };
}

function stepped(px: number): number {
  if (!Number.isFinite(px) || px <= 0) return 0;
  return Math.min(Math.ceil(px / STEP_PX) * STEP_PX, MOST_PIXELS);
}

const area = ({ width, height }: Size) => width * height;

export function sameViews(a: readonly ShownView[], b: readonly ShownView[]): boolean {
  const alike = (one: ShownView, other: ShownView | undefined) =>
    other?.track_id === one.track_id &&
    other.width === one.width &&
    other.height === one.height &&
    other.focus === one.focus;
  return a.length === b.length && a.every((one, index) => alike(one, b[index]));
}
