/** Pictures are 16:9 unless they say otherwise; tiles are cut for that. */
const PICTURE_RATIO = 16 / 9;

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
