import { Store } from "../../room/store";
import {
  bounded,
  panned,
  pinched,
  toPicture,
  toScreen,
  WHOLE,
  zoomedAt,
  type Frame,
  type Point,
  type Zoom,
} from "./zoom";

const UNKNOWN: Frame = { box: { width: 0, height: 0 }, picture: { width: 16, height: 9 } };

/** How one picture is zoomed now, and in what box it stands. Marks drawn on it use `toPicture` and `toScreen`. */
export class PictureZoom {
  readonly store = new Store<Zoom>(WHOLE);
  private known = UNKNOWN;

  get frame(): Frame {
    return this.known;
  }

  /** The box or the picture has another size now: the same view is drawn elsewhere. */
  setFrame(frame: Partial<Frame>): void {
    this.known = { ...this.known, ...frame };
    this.store.set({ ...bounded(this.store.get(), this.known) });
  }

  /** Zoom in or out by a factor; `anchor` stays where it is: the middle by default. */
  by(factor: number, anchor: Point = this.middle): void {
    const zoom = this.store.get();
    this.set(zoomedAt(zoom, this.known, zoom.factor * factor, anchor));
  }

  pan(by: Point): void {
    this.set(panned(this.store.get(), this.known, by));
  }

  pinch(from: readonly [Point, Point], to: readonly [Point, Point]): void {
    this.set(pinched(this.store.get(), this.known, from, to));
  }

  whole(): void {
    this.set(WHOLE);
  }

  toPicture(point: Point): Point {
    return toPicture(point, this.store.get(), this.known);
  }

  toScreen(place: Point): Point {
    return toScreen(place, this.store.get(), this.known);
  }

  private get middle(): Point {
    return { x: this.known.box.width / 2, y: this.known.box.height / 2 };
  }

  private set(zoom: Zoom): void {
    const next = bounded(zoom, this.known);
    const { factor, centre } = this.store.get();
    const same = next.factor === factor && next.centre.x === centre.x && next.centre.y === centre.y;
    if (!same) this.store.set(next);
  }
}

/** More pictures than a room has; the longest unused zoom is forgotten first. */
const MOST_ZOOMS = 64;

/** Each picture keeps its zoom while one stays in the room. */
export class ZoomShelf {
  private zooms = new Map<string, PictureZoom>();

  of(feedId: string): PictureZoom {
    const zoom = this.zooms.get(feedId) ?? new PictureZoom();
    this.zooms.delete(feedId);
    this.zooms.set(feedId, zoom);
    const [oldest] = this.zooms.keys();
    if (this.zooms.size > MOST_ZOOMS && oldest !== undefined) this.zooms.delete(oldest);
    return zoom;
  }
}
