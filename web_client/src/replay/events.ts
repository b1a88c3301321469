import { ControlStories } from "./controlEvents";

/** What happened besides the media: lines of JSON in the archive's events objects (docs/archive-format.md). */

export interface RoomEvent {
  /** On the timeline, µs. */
  atUs: number;
  type: string;
  fields: Record<string, unknown>;
}

/** Readers ignore what they cannot read: one line that is no event does not hide the others. */
export function parseEvents(text: string, epochUs: number): RoomEvent[] {
  const found: RoomEvent[] = [];
  for (const line of text.split("\n")) {
    const event = parseEvent(line, epochUs);
    if (event !== null) found.push(event);
  }
  return found;
}

function parseEvent(line: string, epochUs: number): RoomEvent | null {
  if (line === "") return null;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    const { at_us: at, type } = fields;
    if (typeof at !== "number" || typeof type !== "string") return null;
    // Some archives say when since 1970 instead of since the epoch: the two cannot be mistaken for each other.
    return { atUs: at >= epochUs ? at - epochUs : at, type, fields };
  } catch {
    return null;
  }
}

/** What a person would look for; bookkeeping is left out. */
const SHOWN = new Set([
  "participant_joined",
  "participant_left",
  "track_added",
  "recording_changed",
  "consultation_ended",
  "paused_changed",
  "consent_changed",
  "chat_added",
  "knock",
  "knock_ended",
  "recording_started",
  "recording_resumed",
  "storage_failed",
  "storage_works",
  "events_dropped",
  "record_changed",
  "opinion_written",
  "file_missing",
]);

export type EventKind =
  "people" | "opinion" | "chat" | "drawing" | "consent" | "pause" | "recording" | "feed" | "control";

export interface Mark {
  atUs: number;
  type: string;
  kind: EventKind;
  /** Whose doing it was, or what appeared; empty when that is not known. */
  who: string;
  /** A chat's text, a reason. */
  what: string;
  on: boolean;
  /** Who did it to whom is meant by `who`, by name. */
  by?: string;
}

const KINDS: Record<string, EventKind> = {
  participant_joined: "people",
  participant_left: "people",
  knock: "people",
  knock_ended: "people",
  chat_added: "chat",
  file_missing: "chat",
  opinion_written: "opinion",
  consent_changed: "consent",
  paused_changed: "pause",
  track_added: "feed",
};

type Fields = Record<string, unknown>;
const text = (value: unknown) => (typeof value === "string" ? value : "");
const inner = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(inner) : []);

const byTime = (one: { atUs: number }, other: { atUs: number }) => one.atUs - other.atUs;

/**
 * Events → marks in order of time, with names where an event only has an id. Of `drawn` there are marks already.
 * `epochUs`: a frozen frame is where it was captured.
 */
export function marksOf(events: readonly RoomEvent[], drawn: readonly Mark[] = [], epochUs = 0): Mark[] {
  const ordered = [...events].sort(byTime);
  const names = new Map<string, string>();
  const marks: Mark[] = [];
  const controls = new ControlStories();
  for (const event of ordered) {
    learnNames(event.fields, names);
    if (event.type === "frozen") marks.push(frozen(event, epochUs));
    else if (event.type === "control_changed" || event.type === "control_pressed") {
      const mark = controls.markOf(event);
      if (mark !== null) marks.push(mark);
    } else if (SHOWN.has(event.type)) marks.push(markOf(event, names));
  }
  return [...marks, ...drawn].sort(byTime);
}

function frozen({ type, atUs, fields }: RoomEvent, epochUs: number): Mark {
  const still = inner(fields["still"]);
  const captured = Number(still["captured_us"]) - epochUs;
  const at = captured >= 0 && captured < atUs ? captured : atUs;
  return { atUs: at, type, kind: "drawing", who: text(still["name"]), what: text(still["feed"]), on: true };
}

/** What people are called, by the id of their seat: that is what their tracks are named after. */
export function namesOf(events: readonly RoomEvent[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const event of events) learnNames(event.fields, names);
  return names;
}

function learnNames(fields: Fields, names: Map<string, string>): void {
  for (const one of [...list(fields["participants"]), inner(fields["participant"]), inner(fields["you"])]) {
    const [id, name] = [text(one["participant_id"]), text(one["name"])];
    if (id !== "") names.set(id, name);
  }
}

/** A person's track is called by the id of their seat. */
const nameOf = (feed: string, names: Map<string, string>) => names.get(feed.replace(/-screen$/, "")) ?? feed;

function markOf(event: RoomEvent, names: Map<string, string>): Mark {
  const { fields, type, atUs } = event;
  const chat = { ...inner(fields["entry"]), ...inner(fields["opinion"]) };
  const track = inner(fields["track"]);
  const consent = inner(fields["consent"]);
  const who =
    text(fields["by"]) ||
    text(chat["name"]) ||
    text(inner(fields["participant"])["name"]) ||
    nameOf(text(track["feed"]), names) ||
    (names.get(text(fields["participant_id"])) ?? "");
  const files = list(chat["files"]).map((file) => text(file["name"]));
  const what = [text(chat["text"]), ...files].filter((part) => part !== "").join(" · ");
  const on =
    fields["paused"] === true ||
    fields["record"] === true ||
    consent["record"] === true ||
    fields["state"] === "recording";
  return { atUs, type, kind: KINDS[type] ?? "recording", who, what: what || text(fields["reason"]), on };
}
