import type { Custodian, Entry, GapEntry, GenerationEntry, PieceEntry } from "../format/entries";
import { planSegments, type Segment } from "./plan";

/** A consultation as it can be replayed. Times in µs since its epoch. */
export interface Timeline {
  epochUs: number;
  lengthUs: number;
  custodians: Custodian[];
  tracks: Track[];
  gaps: GapEntry[];
  /** Objects with events, by time. */
  events: { object: string; sha256: string }[];
  /** Files of the chat and pictures of frozen frames, by their id. */
  files: ReadonlyMap<string, { object: string; sha256: string }>;
  closed: boolean;
}

export interface Track {
  name: string;
  media: "audio" | "video";
  feed: string;
  input: string;
  generations: GenerationEntry[];
  segments: Segment[];
}

export type SpanKind = "live" | "backfill" | "missing";

export interface LaneSpan {
  kind: SpanKind;
  beginUs: number;
  endUs: number;
  /** Why something is missing, as the manifest says. */
  reason: string;
}

/** Spans closer together than this look like one. */
const JOINED_US = 150_000;

export function buildTimeline(entries: readonly Entry[]): Timeline {
  const opened = entries.find((entry) => entry.kind === "open");
  const gaps = entries.filter((entry) => entry.kind === "gap");
  const tracks = tracksOf(entries);
  const ends = entries.map((entry) => ("end_us" in entry && entry.kind !== "gap" ? entry.end_us : 0));
  return {
    epochUs: opened?.epoch_us ?? 0,
    lengthUs: ends.reduce((most, end) => Math.max(most, end), 0),
    custodians: opened?.recipients ?? [],
    tracks,
    gaps,
    events: entries
      .filter((entry) => entry.kind === "events")
      .map(({ object, sha256 }) => ({ object, sha256 })),
    files: new Map(
      entries.flatMap((entry) => (entry.kind === "file" ? [[entry.file_id, entry] as const] : [])),
    ),
    closed: entries.at(-1)?.kind === "close",
  };
}

/** Feeds of one consultation begin within this of each other: a replay opens when all of them are there. */
const TOGETHER_US = 1_000_000;

/** Where a replay opens: when something is seen or heard first, and with it what begins a moment later. */
export function openingUs(timeline: Pick<Timeline, "tracks">): number {
  const begins = timeline.tracks.flatMap((track) => track.segments.slice(0, 1)).map((one) => one.fromUs);
  const first = Math.min(...begins);
  return Math.max(0, ...begins.filter((begin) => begin - first <= TOGETHER_US));
}

const RANK: Record<string, number> = { device: 0, screen: 1, camera: 2, microphone: 3 };

function tracksOf(entries: readonly Entry[]): Track[] {
  const pieces = new Map<string, PieceEntry[]>();
  const generations = new Map<string, GenerationEntry[]>();
  for (const entry of entries) {
    if (entry.kind === "generation") gather(generations, entry.track, entry);
    else if (entry.kind === "piece") gather(pieces, entry.track, entry);
  }
  const tracks = [...generations].flatMap(([name, known]) => {
    const [first] = known;
    if (first === undefined) return [];
    const { media, feed, input } = first;
    const segments = planSegments(pieces.get(name) ?? []);
    return [{ name, media, feed, input, generations: known, segments }];
  });
  return tracks.sort((one, other) => rank(one) - rank(other));
}

function gather<Value>(groups: Map<string, Value[]>, key: string, value: Value): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

const rank = (track: { input: string }) => RANK[track.input] ?? 9;

/** What a track's lane shows: where there is something, how it came, and what is declared missing. */
export function laneOf(track: Track, gaps: readonly GapEntry[]): LaneSpan[] {
  const spans: LaneSpan[] = [];
  for (const segment of track.segments) {
    const kind = segment.backfill ? "backfill" : "live";
    const last = spans.at(-1);
    if (last?.kind === kind && segment.fromUs - last.endUs < JOINED_US) last.endUs = segment.untilUs;
    else spans.push({ kind, beginUs: segment.fromUs, endUs: segment.untilUs, reason: "" });
  }
  return [...spans, ...missingOf(track, gaps, spans)];
}

/** Declared gaps, less what was delivered later. */
function missingOf(track: Track, gaps: readonly GapEntry[], there: readonly LaneSpan[]): LaneSpan[] {
  const filled = there.filter((span) => span.kind === "backfill");
  return gaps
    .filter((gap) => (gap.track === null || gap.track === track.name) && gap.end_us > gap.begin_us)
    .flatMap((gap) => without(gap, filled))
    .sort((one, other) => one.beginUs - other.beginUs);
}

function without(gap: GapEntry, filled: readonly LaneSpan[]): LaneSpan[] {
  const left: LaneSpan[] = [];
  let from = gap.begin_us;
  for (const span of filled) {
    if (span.endUs <= from || span.beginUs >= gap.end_us) continue;
    if (span.beginUs > from) left.push(missing(from, span.beginUs, gap.reason));
    from = Math.max(from, span.endUs);
  }
  if (from < gap.end_us) left.push(missing(from, gap.end_us, gap.reason));
  return left;
}

const missing = (beginUs: number, endUs: number, reason: string): LaneSpan => ({
  kind: "missing",
  beginUs,
  endUs,
  reason,
});

/** The declared gap at a moment of a track, if there is one. */
export function gapAt(track: Track, gaps: readonly GapEntry[], atUs: number): GapEntry | null {
  const found = gaps.filter(
    (gap) => (gap.track === null || gap.track === track.name) && gap.begin_us <= atUs && atUs < gap.end_us,
  );
  return found.find((gap) => gap.reason === "privacy_pause") ?? found[0] ?? null;
}

/** Whose voice is recorded when: one lane for each person or device; who came back has one all the same. */
export function voiceLanes(
  tracks: readonly Track[],
  nameOf: (feed: string) => string,
): { name: string; spans: LaneSpan[] }[] {
  const byName = new Map<string, Track[]>();
  for (const track of tracks) if (track.media === "audio") gather(byName, nameOf(track.feed), track);
  return [...byName].map(([name, own]) => ({ name, spans: joined(own) }));
}

function joined(tracks: readonly Track[]): LaneSpan[] {
  const spans = tracks
    .flatMap((track) => laneOf(track, []))
    .sort((one, other) => one.beginUs - other.beginUs);
  const found: LaneSpan[] = [];
  for (const span of spans) {
    const last = found.at(-1);
    if (last !== undefined && span.beginUs - last.endUs < JOINED_US) {
      last.endUs = Math.max(last.endUs, span.endUs);
    } else found.push({ ...span });
  }
  return found;
}
