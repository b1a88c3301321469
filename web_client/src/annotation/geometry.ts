import type { Mark, Scale } from "../protocol/messages";

/**
 * Pure: what marks look like, in heights of the picture (x to the right, y down), so that a circle is one whatever the
 * picture's shape; and how they fade.
 */

export interface Spot {
  x: number;
  y: number;
}

/** A mark that fades does so at the end of its life, for so long or for half of it. */
const FADING_MS = 1_000;

/** Normalised coordinates → places in heights of the picture. */
export function spots(points: readonly number[], aspect: number): Spot[] {
  const found: Spot[] = [];
  for (let at = 0; at + 1 < points.length; at += 2) {
    found.push({ x: (points[at] ?? 0) * aspect, y: points[at + 1] ?? 0 });
  }
  return found;
}

/** 0 … 1 at that moment of the server's clock. */
export function opacityOf(mark: Pick<Mark, "fade_after_ms" | "changed_us">, nowUs: number): number {
  if (mark.fade_after_ms === null) return 1;
  const leftMs = mark.fade_after_ms - (nowUs - mark.changed_us) / 1000;
  return Math.min(1, Math.max(0, leftMs / Math.min(FADING_MS, mark.fade_after_ms / 2)));
}

export function distance(from: Spot, to: Spot): number {
  return Math.hypot(to.x - from.x, to.y - from.y);
}

/** How long a ruler is, mm; null without a scale. By the shape the picture had when the scale was measured. */
export function rulerMm(mark: Pick<Mark, "points" | "scale">): number | null {
  if (mark.scale === null) return null;
  const [from, to] = spots(mark.points, mark.scale.aspect);
  return from === undefined || to === undefined ? null : distance(from, to) * mark.scale.mm_per_height;
}

/** The scale by which this line is so long; null for a line without length. */
export function scaleOf(points: readonly number[], mm: number, aspect: number): Scale | null {
  const [from, to] = spots(points, aspect);
  if (from === undefined || to === undefined || !(mm > 0)) return null;
  const length = distance(from, to);
  if (length < 0.005) return null;
  const mmPerHeight = mm / length;
  return mmPerHeight <= 1_000_000 && aspect >= 0.1 && aspect <= 10
    ? { mm_per_height: mmPerHeight, aspect }
    : null;
}

/** Lines of an arrow: its shaft and two barbs, all ending in its tip. */
export function arrowLines(from: Spot, tip: Spot, width: number): [Spot, Spot][] {
  const length = distance(from, tip);
  if (length === 0) return [];
  const barb = Math.min(Math.max(6 * width, 0.02), 0.6 * length);
  const angle = Math.atan2(tip.y - from.y, tip.x - from.x);
  const barbs = [angle + 2.6, angle - 2.6].map((direction): [Spot, Spot] => [
    { x: tip.x + barb * Math.cos(direction), y: tip.y + barb * Math.sin(direction) },
    tip,
  ]);
  return [[from, tip], ...barbs];
}

/** Across each end of a ruler. */
export function rulerTicks(from: Spot, to: Spot, width: number): [Spot, Spot][] {
  const length = distance(from, to);
  if (length === 0) return [];
  const half = Math.max(3 * width, 0.012);
  const across = { x: (-(to.y - from.y) / length) * half, y: ((to.x - from.x) / length) * half };
  return [from, to].map((end) => [
    { x: end.x - across.x, y: end.y - across.y },
    { x: end.x + across.x, y: end.y + across.y },
  ]);
}

/** A place in the picture as it travels: inside it, and no finer than anybody sees. */
export function rounded(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 100_000) / 100_000;
}
