import type { Entry, GapEntry, PieceEntry } from "./entries";

/** What a manifest says about time: nothing lies in a privacy pause, and what is missing is declared. Pure. */

/** Nothing of a track, and no gap that says why. `entry`: of the piece after it. */
export interface Hole {
  track: string;
  beginUs: number;
  endUs: number;
  entry: number;
}

/** Containers count in ticks, the coarsest (WebM's) in milliseconds. */
const ROUNDING_US = 1_000;
/** Less than this between two pieces may be a still picture's last frame, or a slow one's next. */
const HOLE_US = 1_500_000;

interface Span {
  beginUs: number;
  endUs: number;
}

/** The first piece that lies in a privacy pause of its track, by more than its times may be off. */
export function firstInPause(entries: readonly Entry[]): PieceEntry | null {
  const pauses = gapsOf(entries).filter((gap) => gap.reason === "privacy_pause");
  const byTrack = new Map<string, Span[]>();
  for (const entry of entries) {
    if (entry.kind !== "piece") continue;
    const own = byTrack.get(entry.track) ?? merged(spansFor(pauses, entry.track));
    byTrack.set(entry.track, own);
    if (liesIn(entry, own)) return entry;
  }
  return null;
}

function liesIn(piece: PieceEntry, pauses: readonly Span[]): boolean {
  const slack = piece.uncertainty_us + ROUNDING_US;
  return pauses.some(
    ({ beginUs, endUs }) => Math.min(piece.end_us, endUs) - Math.max(piece.begin_us, beginUs) > slack,
  );
}

/** What is missing between a track's first and last piece, and nobody declared; in the order of entries. */
export function undeclaredHoles(entries: readonly Entry[]): Hole[] {
  const gaps = gapsOf(entries);
  const byTrack = new Map<string, PieceEntry[]>();
  for (const entry of entries) {
    if (entry.kind !== "piece") continue;
    const known = byTrack.get(entry.track);
    if (known === undefined) byTrack.set(entry.track, [entry]);
    else known.push(entry);
  }
  const holes = [...byTrack].flatMap(([track, pieces]) => holesOf(pieces, merged(spansFor(gaps, track))));
  return holes.sort((one, other) => one.entry - other.entry);
}

function holesOf(pieces: readonly PieceEntry[], gaps: readonly Span[]): Hole[] {
  const ordered = [...pieces].sort(
    (one, other) => one.begin_us - other.begin_us || one.end_us - other.end_us,
  );
  const holes: Hole[] = [];
  let reached = ordered[0]?.begin_us ?? 0;
  for (const piece of ordered) {
    if (piece.begin_us - reached > HOLE_US) {
      const least = HOLE_US + piece.uncertainty_us + ROUNDING_US;
      for (const left of without({ beginUs: reached, endUs: piece.begin_us }, gaps)) {
        const { track, entry } = piece;
        if (left.endUs - left.beginUs > least) holes.push({ track, entry, ...left });
      }
    }
    reached = Math.max(reached, piece.end_us);
  }
  return holes;
}

const gapsOf = (entries: readonly Entry[]) => entries.filter((entry) => entry.kind === "gap");

const spansFor = (gaps: readonly GapEntry[], track: string): Span[] =>
  gaps
    .filter((gap) => gap.track === null || gap.track === track)
    .map((gap) => ({ beginUs: gap.begin_us, endUs: gap.end_us }));

/** In order, none touching another. */
function merged(spans: readonly Span[]): Span[] {
  const found: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.beginUs - other.beginUs)) {
    const last = found.at(-1);
    if (last !== undefined && span.beginUs <= last.endUs) last.endUs = Math.max(last.endUs, span.endUs);
    else found.push({ ...span });
  }
  return found;
}

/** What is left of a span when others, in order, are taken away. */
function without(span: Span, taken: readonly Span[]): Span[] {
  const left: Span[] = [];
  let { beginUs } = span;
  for (const one of taken) {
    if (one.beginUs >= span.endUs) break;
    if (one.beginUs > beginUs) left.push({ beginUs, endUs: one.beginUs });
    beginUs = Math.max(beginUs, one.endUs);
  }
  if (beginUs < span.endUs) left.push({ beginUs, endUs: span.endUs });
  return left;
}
