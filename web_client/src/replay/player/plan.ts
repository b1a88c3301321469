import type { PieceEntry } from "../format/entries";

/** A piece in the order it is played, and the part of it that counts. Times in µs on the timeline. */
export interface Segment {
  track: string;
  generation: number;
  /** Of the piece in its generation. */
  number: number;
  object: string;
  sha256: string;
  size: number;
  beginUs: number;
  endUs: number;
  /** Before this another source is shown. */
  fromUs: number;
  /** From here on another source is shown. */
  untilUs: number;
  /** Decoding can start here. */
  sync: boolean;
  frames: number;
  backfill: boolean;
}

/** A hole shorter than this is between two frames, and not worth looking for a replacement. */
const HOLE_US = 100_000;

/**
 * One track's pieces in playing order: live ones where there are any, delivered-later ones in between. A change of
 * source happens at a sync sample, so what fills a hole begins at its last one before the hole.
 */
export function planSegments(pieces: readonly PieceEntry[]): Segment[] {
  const byTime = (one: PieceEntry, other: PieceEntry) =>
    one.begin_us - other.begin_us || one.generation - other.generation || one.number - other.number;
  const live = pieces.filter((piece) => piece.source === "live").sort(byTime);
  const later = pieces.filter((piece) => piece.source === "backfill").sort(byTime);
  const planned = live.map((piece) => segmentOf(piece));
  for (const hole of holesIn(live)) planned.push(...fill(hole, later));
  planned.sort((one, other) => one.fromUs - other.fromUs || one.beginUs - other.beginUs);
  cutOverlaps(planned);
  return planned.filter((segment) => segment.untilUs > segment.fromUs);
}

interface Hole {
  fromUs: number;
  untilUs: number;
}

function holesIn(live: readonly PieceEntry[]): Hole[] {
  const holes: Hole[] = [];
  let reached = 0;
  for (const piece of live) {
    if (piece.begin_us - reached >= HOLE_US) holes.push({ fromUs: reached, untilUs: piece.begin_us });
    reached = Math.max(reached, piece.end_us);
  }
  holes.push({ fromUs: reached, untilUs: Number.POSITIVE_INFINITY });
  return holes;
}

/** What of `later` (by time) fills the hole, from the last piece on that can be decoded by itself. */
function fill(hole: Hole, later: readonly PieceEntry[]): Segment[] {
  const inside = later.filter((piece) => piece.end_us > hole.fromUs && piece.begin_us < hole.untilUs);
  const first = inside[0];
  if (first === undefined) return [];
  const before = later.filter(
    (piece) => piece.generation === first.generation && piece.begin_us <= first.begin_us,
  );
  const start = before.findLastIndex((piece) => piece.sync);
  const chosen = start < 0 ? inside : [...before.slice(start, -1), ...inside];
  return chosen.map((piece) => ({
    ...segmentOf(piece),
    untilUs: Math.min(piece.end_us, hole.untilUs),
  }));
}

function segmentOf(piece: PieceEntry): Segment {
  return {
    track: piece.track,
    generation: piece.generation,
    number: piece.number,
    object: piece.object,
    sha256: piece.sha256,
    size: piece.size,
    beginUs: piece.begin_us,
    endUs: piece.end_us,
    fromUs: piece.begin_us,
    untilUs: piece.end_us,
    sync: piece.sync,
    frames: piece.frames,
    backfill: piece.source === "backfill",
  };
}

/** Where another generation begins, the one before ends. */
function cutOverlaps(planned: Segment[]): void {
  for (const [index, after] of planned.entries()) {
    const before = planned[index - 1];
    if (before !== undefined && before.generation !== after.generation) {
      before.untilUs = Math.min(before.untilUs, after.fromUs);
    }
  }
}

/** The segment shown at `atUs`; -1 where nothing is. */
export function segmentAt(segments: readonly Segment[], atUs: number): number {
  const index = firstAfter(segments, atUs);
  const segment = segments[index];
  return segment !== undefined && segment.fromUs <= atUs ? index : -1;
}

/** The first segment that ends after `atUs`; the number of segments when there is none. */
export function firstAfter(segments: readonly Segment[], atUs: number): number {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle]?.untilUs ?? 0) > atUs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Where decoding has to begin to show segment `index`: the last one before it that can be decoded by itself. */
export function decodeFrom(segments: readonly Segment[], index: number): number {
  const generation = segments[index]?.generation;
  for (let at = index; at >= 0; at -= 1) {
    const segment = segments[at];
    if (segment?.generation !== generation) return at + 1;
    if (segment?.sync === true) return at;
  }
  return 0;
}

/** Where a run of pieces that come in one answer ends: from `index` on, before `end`, `isBegun` and any break. */
export function runEnd(
  segments: readonly Segment[],
  index: number,
  end: number,
  isBegun: (at: number) => boolean = () => false,
): number {
  let until = index + 1;
  for (; until < Math.min(end, segments.length) && !isBegun(until); until += 1) {
    const [last, next] = [segments[until - 1], segments[until]];
    if (next?.generation !== last?.generation || next?.number !== (last?.number ?? 0) + 1) break;
  }
  return until;
}

/** How long one picture is shown at `atUs`, µs. */
export function frameUs(segments: readonly Segment[], atUs: number): number {
  const segment = segments[segmentAt(segments, atUs)];
  if (segment === undefined || segment.frames === 0) return 33_333;
  return Math.max(1, (segment.endUs - segment.beginUs) / segment.frames);
}
