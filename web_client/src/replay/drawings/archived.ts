import type { RemotePointer } from "../../annotation/feedDrawings";
import { onStill } from "../../annotation/freeze/annotated";
import { Motions, seenMarks, type Seen } from "../../annotation/visible";
import type {
  AnnotationDocument,
  AnnotationsChanged,
  AnnotationsSynced,
  Mark,
  MarksMoved,
  Pointed,
  Still,
} from "../../protocol/messages";
import type { Mark as Event, RoomEvent } from "../events";
import type { Track } from "../player/timeline";
import { countUntil, DrawingHistory } from "./history";
import { ArchivedStills } from "./stills";

/** A pointer that says nothing for so long is gone, as it was in the room. */
const POINTER_LIVES_US = 2_500_000;

type Told = AnnotationsChanged | AnnotationDocument | AnnotationsSynced | MarksMoved | Pointed;

const KINDS: ReadonlySet<string> = new Set<Told["type"]>([
  "annotations_changed",
  "annotation_document",
  "annotations_synced",
  "marks_moved",
  "pointed",
]);

/** What was to be seen on a picture. */
export interface Drawn {
  seen: readonly Seen[];
  pointers: readonly RemotePointer[];
}

interface Feed {
  history: DrawingHistory;
  motions: Motions;
  pointerTimes: number[];
  pointers: Pointed[];
}

/** What a feed is called whose picture a track shows: a shared screen is drawn on apart from its owner's camera. */
export const pictureOf = ({ feed, input }: Pick<Track, "feed" | "input">) =>
  input === "screen" ? `${feed}-screen` : feed;

/** Pure: all that was drawn in a consultation, from its archive's events. */
export class ArchivedDrawings {
  /** Counts up with everything that was read. */
  version = 0;
  /** Who drew when: where the frame is that it belongs to, or when it appeared. */
  readonly events: Event[] = [];
  readonly stills = new ArchivedStills();
  private readonly listed = new Set<string>();
  private readonly feeds = new Map<string, Feed>();

  constructor(private readonly epochUs: number) {}

  /** False: it is about something else. What is not as it should be is passed over. */
  take(event: RoomEvent): boolean {
    this.stills.take(event);
    const { type, atUs, fields } = event;
    if (!KINDS.has(type)) return false;
    this.version += 1;
    try {
      this.note(fields as unknown as Told, atUs);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    return true;
  }

  /** `atUs`: where the replay is; `shownUs`: the frame on screen, both on the timeline. */
  at(picture: string, atUs: number, shownUs: number): Drawn {
    const feed = this.feeds.get(picture);
    if (feed === undefined) return { seen: [], pointers: [] };
    const { epochUs } = this;
    const looked = { shownUs: epochUs + shownUs, nowUs: epochUs + atUs, motions: feed.motions };
    return { seen: seenMarks(feed.history.marksAt(atUs), looked), pointers: pointersAt(feed, atUs) };
  }

  /** As `at`, on a frozen frame: what is drawn on it appears when it was drawn. */
  onStill({ feed: name, captured_us: shownUs }: Still, atUs: number): Drawn {
    const feed = this.feeds.get(name);
    if (feed === undefined) return { seen: [], pointers: [] };
    const marks = onStill([...feed.history.at(atUs).marks.values()]);
    const seen = seenMarks(marks, { shownUs, nowUs: this.epochUs + atUs });
    return { seen, pointers: pointersAt(feed, atUs) };
  }

  private note(told: Told, atUs: number): void {
    if (told.type === "annotations_synced") {
      const there = new Set(told.feeds);
      for (const [name, { history }] of this.feeds) if (!there.has(name)) history.add(atUs, { type: "gone" });
      return;
    }
    const feed = this.of(told.feed);
    if (told.type === "marks_moved") feed.motions.add(told);
    else if (told.type === "pointed") {
      const place = countUntil(feed.pointerTimes, atUs);
      feed.pointerTimes.splice(place, 0, atUs);
      feed.pointers.splice(place, 0, told);
    } else if (isWhole(told)) {
      feed.history.add(atUs, told);
      const marks = told.type === "annotation_document" ? told.marks : told.changes.flatMap(({ put }) => put);
      for (const mark of marks) this.list(mark, atUs);
    }
  }

  private list(
    { mark_id: id, feed, anchor, captured_us: capturedUs, author_name: who }: Mark,
    atUs: number,
  ): void {
    if (this.listed.has(id)) return;
    this.listed.add(id);
    const onFrame = anchor === "frame" && capturedUs !== null && capturedUs >= this.epochUs;
    const at = onFrame ? capturedUs - this.epochUs : atUs;
    this.events.push({ atUs: at, type: "mark_drawn", kind: "drawing", who, what: feed, on: true });
  }

  private of(name: string): Feed {
    const known = this.feeds.get(name);
    if (known !== undefined) return known;
    const made = {
      history: new DrawingHistory(),
      motions: new Motions(Infinity, Infinity),
      pointerTimes: [],
      pointers: [],
    };
    this.feeds.set(name, made);
    return made;
  }
}

function isWhole(told: AnnotationsChanged | AnnotationDocument): boolean {
  if (told.type === "annotation_document") return Array.isArray(told.marks);
  return told.changes.every(({ put, removed }) => Array.isArray(put) && Array.isArray(removed));
}

/** The newest word of each seat, while it means something. */
function pointersAt({ pointerTimes, pointers }: Feed, atUs: number): RemotePointer[] {
  const found = new Map<string, RemotePointer | null>();
  for (let place = countUntil(pointerTimes, atUs) - 1; place >= 0; place -= 1) {
    const [saidUs, told] = [pointerTimes[place] ?? 0, pointers[place]];
    if (told === undefined || atUs - saidUs > POINTER_LIVES_US) break;
    const { participant_id: id, name, person, at } = told;
    if (!found.has(id)) {
      found.set(id, at === null ? null : { name, person, x: at.x, y: at.y, atMs: saidUs / 1000 });
    }
  }
  return [...found.values()].filter((pointer) => pointer !== null);
}
