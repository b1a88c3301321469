/**
 * Pure: where a picture stands in its box when it is zoomed and moved. Lengths are CSS px from the box's top left
 * corner; a place in the picture is normalised, (0, 0) its top left corner and (1, 1) its bottom right one.
 */

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Point, Size {}

/** `factor` 1 shows the whole picture; `centre` is the place of the picture in the middle of the box. */
export interface Zoom {
  factor: number;
  centre: Point;
}

/** A picture of this shape in a box of this size. Only the picture's proportions count. */
export interface Frame {
  box: Size;
  picture: Size;
}

export const WHOLE: Zoom = { factor: 1, centre: { x: 0.5, y: 0.5 } };
export const MAX_FACTOR = 8;
/** One press of + or −. */
export const STEP = 1.25;
export const DOUBLE_TAP_FACTOR = 2.5;

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** The whole picture, as large as the box allows. */
export function fitted({ box, picture }: Frame): Size {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  if (!Number.isFinite(scale) || scale <= 0) return { width: box.width, height: box.height };
  return { width: picture.width * scale, height: picture.height * scale };
}

/** Where the whole picture stands; it may reach beyond the box. */
export function placed(zoom: Zoom, frame: Frame): Rect {
  const whole = fitted(frame);
  const width = whole.width * zoom.factor;
  const height = whole.height * zoom.factor;
  const x = frame.box.width / 2 - zoom.centre.x * width;
  const y = frame.box.height / 2 - zoom.centre.y * height;
  return { x, y, width, height };
}

/** The place in the picture under a point of the box. Outside 0 … 1: beside the picture. */
export function toPicture(point: Point, zoom: Zoom, frame: Frame): Point {
  const { x, y, width, height } = placed(zoom, frame);
  return { x: (point.x - x) / Math.max(width, 1), y: (point.y - y) / Math.max(height, 1) };
}

/** Where in the box a place of the picture is shown. */
export function toScreen(place: Point, zoom: Zoom, frame: Frame): Point {
  const { x, y, width, height } = placed(zoom, frame);
  return { x: x + place.x * width, y: y + place.y * height };
}

/** The nearest allowed view: no more than needed beside the picture, and never an empty box. */
export function bounded(zoom: Zoom, frame: Frame): Zoom {
  const factor = clamp(zoom.factor, 1, MAX_FACTOR);
  const whole = fitted(frame);
  const centre = {
    x: boundedCentre(zoom.centre.x, frame.box.width, whole.width * factor),
    y: boundedCentre(zoom.centre.y, frame.box.height, whole.height * factor),
  };
  return { factor, centre };
}

function boundedCentre(centre: number, box: number, picture: number): number {
  if (picture <= box) return 0.5;
  const half = box / picture / 2;
  return clamp(centre, half, 1 - half);
}

/** Zooms to `factor`; what is under `anchor` stays there as far as the bounds allow. */
export function zoomedAt(zoom: Zoom, frame: Frame, factor: number, anchor: Point): Zoom {
  const place = toPicture(anchor, zoom, frame);
  return showing(place, anchor, clamp(factor, 1, MAX_FACTOR), frame);
}

/** Moves the picture by so many px. */
export function panned(zoom: Zoom, frame: Frame, by: Point): Zoom {
  const { width, height } = placed(zoom, frame);
  const centre = {
    x: zoom.centre.x - by.x / Math.max(width, 1),
    y: zoom.centre.y - by.y / Math.max(height, 1),
  };
  return bounded({ factor: zoom.factor, centre }, frame);
}

/** Two fingers went from one pair of points to another: what was under them stays under them. */
export function pinched(
  zoom: Zoom,
  frame: Frame,
  from: readonly [Point, Point],
  to: readonly [Point, Point],
): Zoom {
  const spread = distance(...to) / Math.max(distance(...from), 1);
  const place = toPicture(middle(...from), zoom, frame);
  return showing(place, middle(...to), clamp(zoom.factor * spread, 1, MAX_FACTOR), frame);
}

/** The view in which `place` is shown at `point`, within the bounds. */
function showing(place: Point, point: Point, factor: number, frame: Frame): Zoom {
  const whole = fitted(frame);
  const centre = {
    x: place.x + (frame.box.width / 2 - point.x) / Math.max(whole.width * factor, 1),
    y: place.y + (frame.box.height / 2 - point.y) / Math.max(whole.height * factor, 1),
  };
  return bounded({ factor, centre }, frame);
}

/** CSS transform (origin: top left) for an element that fills the box and shows the whole picture in its middle. */
export function transformOf(zoom: Zoom, frame: Frame): string {
  const { box } = frame;
  const whole = fitted(frame);
  const { x, y } = placed(zoom, frame);
  const left = x - (zoom.factor * (box.width - whole.width)) / 2;
  const top = y - (zoom.factor * (box.height - whole.height)) / 2;
  return `translate(${left.toFixed(2)}px, ${top.toFixed(2)}px) scale(${zoom.factor.toFixed(4)})`;
}

export const isWhole = (zoom: Zoom) => zoom.factor <= 1.001;

/** Of the wheel's movement: a notch (100 px) is about a step; a touch pad is as smooth as it moves. */
export function wheelFactor(deltaPx: number): number {
  return Math.exp(clamp(-deltaPx, -200, 200) * 0.00223);
}

export const distance = (a: Point, b: Point) => Math.hypot(a.x - b.x, a.y - b.y);
export const middle = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
