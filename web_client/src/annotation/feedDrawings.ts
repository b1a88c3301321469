import type {
  AnnotationDocument,
  AnnotationsChanged,
  Calibration,
  Change,
  Mark,
  MarksMoved,
  Pointed,
} from "../protocol/messages";
import { Store } from "../room/store";
import { foresee, merged, type Author, type Operation, type Pending } from "./operations";
import { Replica } from "./replica";
import { Motions } from "./visible";

/** A pointer that says nothing for so long is gone, with whoever held it. */
const POINTER_LIVES_MS = 2_500;
/** More than anybody draws while a network is away. */
const PENDING_MAX = 2_000;

export interface RemotePointer {
  name: string;
  person: string;
  x: number;
  y: number;
  atMs: number;
}

export interface FeedParts {
  feed: string;
  author: () => Author | null;
  /** False when it cannot be said now: it is said after the next sync. */
  say: (pending: Pending) => boolean;
  newId: () => string;
  /** Unix µs, the server's clock as far as it is known. */
  nowUs: () => number;
}

/** The drawings on one feed: the server's, and on top of them one's own that it has not confirmed yet. */
export class FeedDrawings {
  readonly replica = new Replica();
  readonly pointers = new Map<string, RemotePointer>();
  /** Where the box says that marks on tissue are, frame by frame. */
  readonly motions = new Motions();
  /** Counts up with everything that is to be drawn anew. */
  readonly version = new Store(0);
  /** Own steps that can be taken back, and again. */
  steps = { undo: 0, redo: 0 };
  private pending: Pending[] = [];
  private parts: Mark[] = [];
  private cache: readonly Mark[] | null = null;

  constructor(private readonly room: FeedParts) {}

  /** What is to be seen, in order. The same array until something changes. */
  marks(): readonly Mark[] {
    return (this.cache ??= this.foreseen());
  }

  get calibration(): Calibration | null {
    return this.replica.calibration;
  }

  get waits(): number {
    return this.pending.length;
  }

  /** Shown at once here, and said to the server; false when too much waits for it. */
  do(operation: Operation): boolean {
    if (this.pending.length >= PENDING_MAX) return false;
    const message = { type: "annotate", op_id: this.room.newId(), feed: this.room.feed, operation } as const;
    const pending = { message, operation };
    this.pending.push(pending);
    this.touch();
    this.room.say(pending);
    return true;
  }

  /** False: something is missing, everything has to be asked for. */
  changed({ document_id: documentId, changes }: AnnotationsChanged): boolean {
    if (this.replica.documentId === "" && changes[0]?.seq === 1) this.replica.load(documentId, 0, [], null);
    const whole = changes.every((change) => {
      if (!this.replica.apply(documentId, change)) return false;
      this.confirmed(change);
      return true;
    });
    this.touch();
    return whole;
  }

  loaded(document: AnnotationDocument): void {
    if (document.first) this.parts = [];
    this.parts.push(...document.marks);
    if (!document.last) return;
    this.replica.load(document.document_id, document.seq, this.parts, document.calibration);
    this.steps = { undo: document.undo, redo: document.redo };
    this.parts = [];
    this.touch();
  }

  /** The server has no drawings on this feed. */
  empty(): void {
    this.replica.load("", 0, [], null);
    this.steps = { undo: 0, redo: 0 };
    this.touch();
  }

  /** Everything unconfirmed is said (again): the server does nothing twice. */
  repeat(): void {
    const waiting: Pending[] = [];
    for (const next of this.pending) {
      const last = waiting.at(-1);
      const both = last === undefined ? null : merged(last.operation, next.operation);
      if (last === undefined || both === null) waiting.push(next);
      else {
        // Another piece than those that were said: the server may have the first one already.
        const message = { ...next.message, operation: both };
        waiting[waiting.length - 1] = { message, operation: both };
      }
    }
    this.pending = this.fitted(waiting);
    for (const pending of this.pending) this.room.say(pending);
    this.touch();
  }

  /** The server does not do it; what follows from it on the same mark is refused by itself. */
  refused(opId: string | null): void {
    const at = opId === null ? 0 : this.pending.findIndex(({ message }) => message.op_id === opId);
    if (at >= 0) this.pending.splice(at, 1);
    this.touch();
  }

  pointed(message: Pointed, nowMs: number): void {
    const { participant_id: id, at, name, person } = message;
    if (at === null) this.pointers.delete(id);
    else this.pointers.set(id, { name, person, x: at.x, y: at.y, atMs: nowMs });
    this.bump();
  }

  moved(message: MarksMoved): void {
    this.motions.add(message);
    this.bump();
  }

  /** Pointers that still mean something. */
  livePointers(nowMs: number): readonly RemotePointer[] {
    for (const [id, { atMs }] of this.pointers) {
      if (nowMs - atMs > POINTER_LIVES_MS) this.pointers.delete(id);
    }
    return [...this.pointers.values()];
  }

  private confirmed(change: Change): void {
    const author = this.room.author();
    if (author?.person !== change.author) return;
    this.steps = { undo: change.undo, redo: change.redo };
    const at = this.pending.findIndex(({ message }) => message.op_id === change.op_id);
    if (at >= 0) this.pending.splice(at, 1);
  }

  /** What the server has already is not said again: of a stroke that was merged, part may have arrived. */
  private fitted(waiting: readonly Pending[]): Pending[] {
    const lengths = new Map<string, number>();
    for (const [id, { points }] of this.replica.marks) lengths.set(id, points.length / 2);
    return waiting.flatMap((pending): Pending[] => {
      const { message, operation } = pending;
      if (operation.op === "add") {
        const { mark_id: id, points } = operation.mark;
        if (this.replica.marks.has(id)) return [];
        lengths.set(id, points.length / 2);
      }
      if (operation.op !== "extend") return [pending];
      const known = lengths.get(operation.mark_id) ?? 0;
      const skip = known - operation.start;
      if (skip < 0 || 2 * skip >= operation.points.length) return [];
      const rest: Operation = {
        ...operation,
        start: known,
        points: operation.points.slice(2 * skip),
        pressures: (operation.pressures ?? []).slice(skip),
      };
      lengths.set(operation.mark_id, known + rest.points.length / 2);
      return [{ message: { ...message, operation: rest }, operation: rest }];
    });
  }

  private foreseen(): readonly Mark[] {
    const author = this.room.author();
    if (author === null || this.pending.length === 0) return [...this.replica.marks.values()];
    const marks = new Map(this.replica.marks);
    for (const { operation } of this.pending) {
      foresee(marks, operation, this.room.feed, author, this.room.nowUs());
    }
    return [...marks.values()];
  }

  private touch(): void {
    this.cache = null;
    this.bump();
  }

  private bump(): void {
    this.version.set(this.version.get() + 1);
  }
}
