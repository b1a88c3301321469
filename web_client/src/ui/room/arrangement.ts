import type { Feed } from "../../room/feeds";

/** Pictures are 16:9 unless they say otherwise; tiles are cut for that. */
const PICTURE_RATIO = 16 / 9;

/** So many pictures stand on one page of the wall. */
export const WALL_PAGE = 16;

/**
 * In how many columns `count` equal tiles show their pictures largest in `width` × `height` (CSS px), when each has a
 * caption of `captionPx` below.
 */
export function wallColumns(count: number, width: number, height: number, captionPx: number): number {
  let best = { columns: 1, pictureWidth: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const room = Math.max(1, height / rows - captionPx);
    const pictureWidth = Math.min(width / columns, room * PICTURE_RATIO);
    if (pictureWidth > best.pictureWidth) best = { columns, pictureWidth };
  }
  return best.columns;
}

/** `base` with everything `others` has besides: each behind the one it follows there, or first. */
export function merged(base: readonly string[], others: readonly string[]): string[] {
  const result = [...base];
  others.forEach((place, index) => {
    if (result.includes(place)) return;
    const before = index === 0 ? -1 : result.indexOf(others[index - 1] ?? "");
    result.splice(before + 1, 0, place);
  });
  return result;
}

/** Feeds as this person arranged them. One that is new stands where it would by itself. */
export function arranged(feeds: readonly Feed[], remembered: readonly string[]): readonly Feed[] {
  if (remembered.length === 0) return feeds;
  const places = feeds.map((feed) => feed.place);
  const known = remembered.filter((place) => places.includes(place));
  const order = new Map(merged(known, places).map((place, index) => [place, index]));
  return [...feeds].sort((a, b) => (order.get(a.place) ?? 0) - (order.get(b.place) ?? 0));
}

/** The order after `place` was moved to index `to`. */
export function moved(places: readonly string[], place: string, to: number): string[] {
  const from = places.indexOf(place);
  if (from < 0) return [...places];
  const others = places.filter((one) => one !== place);
  others.splice(Math.min(Math.max(to, 0), others.length), 0, place);
  return others;
}

export type Direction = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

/** Where an arrow key takes the tile at `index` of `count` in a grid of `columns`. */
export function movedIndex(index: number, key: Direction, columns: number, count: number): number {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  return Math.min(Math.max(index + step, 0), count - 1);
}

export interface Page<T> {
  shown: readonly T[];
  /** From 0. */
  page: number;
  pages: number;
}

/** One page of the wall. A page that no longer exists gives the last one. */
export function pageOf<T>(all: readonly T[], wanted: number, size = WALL_PAGE): Page<T> {
  const pages = Math.max(1, Math.ceil(all.length / size));
  const page = Math.min(Math.max(wanted, 0), pages - 1);
  return { shown: all.slice(page * size, (page + 1) * size), page, pages };
}

export interface SidePlace {
  /** Grid row and column, from 1; columns are counted within the side. */
  row: number;
  column: number;
  wide: boolean;
}

/** The strip beside the picture in focus: pictures one below the other, faces small, two in a row, below them. */
export function sidePlaces(tiles: readonly { id: string; small: boolean }[]): Map<string, SidePlace> {
  const wide = tiles.filter((tile) => !tile.small);
  const small = tiles.filter((tile) => tile.small);
  const places = new Map<string, SidePlace>();
  wide.forEach(({ id }, index) => places.set(id, { row: index + 1, column: 1, wide: true }));
  small.forEach(({ id }, index) => {
    const row = wide.length + Math.floor(index / 2) + 1;
    places.set(id, { row, column: (index % 2) + 1, wide: false });
  });
  return places;
}
