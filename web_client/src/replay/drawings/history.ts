import type { AnnotationDocument, AnnotationsChanged, Mark } from "../../protocol/messages";
import { Replica } from "../../annotation/replica";

/** Pure: the drawings on one feed at any moment of a replay. Going anywhere costs as little early on as late. */

/** `gone`: there are no drawings on the feed any more. */
export type Heard = AnnotationsChanged | AnnotationDocument | { type: "gone" };

/** So many messages lie between two states that are kept. */
const EVERY = 100;

interface Kept {
  documentId: string;
  seq: number;
  marks: readonly Mark[];
  calibration: Replica["calibration"];
  /** Of a document whose end is still to come. */
  parts: readonly Mark[];
}

/** What was drawn after so many messages, and how to go on from there. */
class Cursor {
  readonly replica = new Replica();
  /** How many messages were taken in. */
  at = 0;
  private parts: Mark[] = [];

  take(message: Heard): void {
    this.at += 1;
    if (message.type === "gone") this.replica.load("", 0, [], null);
    else if (message.type === "annotation_document") this.whole(message);
    else {
      const { document_id: id, changes } = message;
      if (this.replica.documentId !== id) this.replica.load(id, 0, [], null);
      for (const change of changes) this.replica.apply(id, change);
    }
  }

  private whole(document: AnnotationDocument): void {
    if (document.first) this.parts = [];
    this.parts.push(...document.marks);
    if (!document.last) return;
    this.replica.load(document.document_id, document.seq, this.parts, document.calibration);
    this.parts = [];
  }

  keep(): Kept {
    const { documentId, seq, calibration, marks } = this.replica;
    return { documentId, seq, calibration, marks: [...marks.values()], parts: [...this.parts] };
  }

  back(to: Kept | undefined, at: number): void {
    this.at = at;
    this.parts = [...(to?.parts ?? [])];
    this.replica.load(to?.documentId ?? "", to?.seq ?? 0, to?.marks ?? [], to?.calibration ?? null);
  }
}

export class DrawingHistory {
  private readonly times: number[] = [];
  private readonly messages: Heard[] = [];
  /** After each `EVERY` messages. */
  private readonly kept: Kept[] = [];
  private readonly newest = new Cursor();
  private readonly cursor = new Cursor();
  /** Marks that belong to a frame, as they were last: they are on that frame, though drawn a moment later. */
  private readonly ofFrames = new Map<string, Mark>();

  /** How many messages there are. */
  get length(): number {
    return this.messages.length;
  }

  /** In any order; in order it is quick. */
  add(atUs: number, message: Heard): void {
    const place = countUntil(this.times, atUs);
    this.times.splice(place, 0, atUs);
    this.messages.splice(place, 0, message);
    if (place < this.newest.at) this.rewind(place);
    while (this.newest.at < this.messages.length) this.advance();
  }

  /** What is there to be seen then: the document's marks, but those of frames whenever they were drawn. */
  marksAt(atUs: number): Mark[] {
    const marks = [...this.at(atUs).marks.values()].filter(({ anchor }) => anchor !== "frame");
    return [...marks, ...this.ofFrames.values()];
  }

  /** The document as it was then. */
  at(atUs: number): Replica {
    const until = countUntil(this.times, atUs);
    const nearest = Math.floor(until / EVERY);
    if (this.cursor.at > until || this.cursor.at < nearest * EVERY) {
      this.cursor.back(this.kept[nearest - 1], nearest * EVERY);
    }
    for (const message of this.messages.slice(this.cursor.at, until)) this.cursor.take(message);
    return this.cursor.replica;
  }

  private advance(): void {
    const message = this.messages[this.newest.at];
    if (message === undefined) return;
    this.newest.take(message);
    const { marks } = this.newest.replica;
    for (const id of changedBy(message) ?? marks.keys()) {
      const mark = marks.get(id);
      if (mark?.anchor === "frame") this.ofFrames.set(id, mark);
    }
    if (this.newest.at % EVERY === 0) this.kept.push(this.newest.keep());
  }

  private rewind(place: number): void {
    const states = Math.floor(place / EVERY);
    this.kept.length = Math.min(this.kept.length, states);
    this.newest.back(this.kept.at(-1), this.kept.length * EVERY);
    this.cursor.back(undefined, 0);
  }
}

/** Null: anything may be. */
function changedBy(message: Heard): string[] | null {
  if (message.type !== "annotations_changed") return null;
  return message.changes.flatMap(({ put, extended }) => [
    ...put.map(({ mark_id: id }) => id),
    ...(extended === null ? [] : [extended.mark_id]),
  ]);
}

/** How many of these are not later, in ascending `times`. */
export function countUntil(times: readonly number[], us: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= us) low = middle + 1;
    else high = middle;
  }
  return low;
}
