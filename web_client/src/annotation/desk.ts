import type { ClientMessage, Mark, Participant, ServerMessage } from "../protocol/messages";
import { personOf } from "../room/chatDesk";
import { Store } from "../room/store";
import { FeedDrawings } from "./feedDrawings";
import type { Author } from "./operations";
import { POINTER_EVERY_MS, Toolbox } from "./toolbox";

/** Refusals that a little patience overcomes. */
const PASSING: ReadonlySet<string> = new Set(["too_fast", "unavailable", "internal"]);
const RETRY_MS = 1_500;

export interface DrawingsReport {
  documentId: string;
  seq: number;
  /** Operations of one's own that the server has not confirmed. */
  waits: number;
  marks: readonly Mark[];
}

export interface DeskParts {
  /** False when the room is away. */
  say: (message: ClientMessage) => boolean;
  newId: () => string;
  nowMs: () => number;
  /** The server's clock, Unix µs; null while it is not known. */
  serverTimeUs: () => number | null;
  later: (act: () => void, ms: number) => unknown;
}

/** All drawings of one stay in a room: kept like the server's, through lost connections too. */
export class DrawingDesk {
  /** Why the last thing this person did was not done; null: it was. */
  readonly problem = new Store<string | null>(null);
  readonly toolbox = new Toolbox();
  private readonly feeds = new Map<string, FeedDrawings>();
  private me: Participant | null = null;
  private isHost = false;
  private synced = false;
  private asked = false;
  private retrying = false;
  private pointer: { feed: string; at: { x: number; y: number } | null; capturedUs: number | null } | null =
    null;
  private pointerSaidMs = -Infinity;

  constructor(private readonly parts: DeskParts) {}

  get author(): Author | null {
    const { me } = this;
    return me === null ? null : { person: personOf(me), name: me.name, role: me.role };
  }

  /** May remove what others drew. */
  get moderates(): boolean {
    return this.isHost;
  }

  of(feed: string): FeedDrawings {
    const known = this.feeds.get(feed);
    if (known !== undefined) return known;
    const made = new FeedDrawings({
      feed,
      author: () => this.author,
      say: ({ message }) => this.synced && this.parts.say(message),
      newId: this.parts.newId,
      nowUs: () => this.nowUs(),
    });
    this.feeds.set(feed, made);
    return made;
  }

  /** For `window.teleconsult`. */
  report(): Record<string, DrawingsReport> {
    const all = [...this.feeds].map(([feed, drawings]) => {
      const { documentId, seq } = drawings.replica;
      return [feed, { documentId, seq, waits: drawings.waits, marks: drawings.marks() }] as const;
    });
    return Object.fromEntries(all);
  }

  nowUs(): number {
    return this.parts.serverTimeUs() ?? Date.now() * 1000;
  }

  /** In the room, perhaps again: what was missed is asked for, then one's own is said. */
  private joined(me: Participant, isHost: boolean): void {
    this.synced = false;
    this.me = me;
    this.isHost = isHost;
    this.toolbox.began(personOf(me));
    this.asked = false;
    this.ask();
  }

  received(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        this.joined(message.participant, message.host);
        break;
      case "annotations_changed":
        if (!this.of(message.feed).changed(message)) this.ask();
        if (message.changes.some(({ author }) => author === this.author?.person)) this.problem.set(null);
        break;
      case "annotation_document":
        this.of(message.feed).loaded(message);
        break;
      case "annotations_synced":
        this.allThere(new Set(message.feeds));
        break;
      case "pointed":
        this.of(message.feed).pointed(message, this.parts.nowMs());
        break;
      case "marks_moved":
        this.of(message.feed).moved(message);
        break;
      case "error":
        if (message.about === "annotate") this.refused(message.code, message.ref);
        if (message.about === "sync_annotations") this.askLater();
        break;
      default:
    }
  }

  /** Where this person points, in the picture; at most 30 times a second, and the last place always arrives. */
  point(feed: string, at: { x: number; y: number } | null, capturedUs: number | null): void {
    const waits = this.pointer !== null;
    this.pointer = { feed, at, capturedUs };
    if (waits) return;
    const inMs = this.pointerSaidMs + POINTER_EVERY_MS - this.parts.nowMs();
    if (inMs <= 0) this.sayPointer();
    else {
      this.parts.later(() => {
        this.sayPointer();
      }, inMs);
    }
  }

  private sayPointer(): void {
    const { pointer } = this;
    this.pointer = null;
    if (pointer === null) return;
    this.pointerSaidMs = this.parts.nowMs();
    this.parts.say({ type: "point", feed: pointer.feed, at: pointer.at, captured_us: pointer.capturedUs });
  }

  private ask(): void {
    if (this.asked) return;
    const seen = [...this.feeds].flatMap(([feed, { replica }]) =>
      replica.documentId === "" ? [] : [{ feed, document_id: replica.documentId, seq: replica.seq }],
    );
    this.asked = this.parts.say({ type: "sync_annotations", seen });
  }

  private askLater(): void {
    this.parts.later(() => {
      this.asked = false;
      this.ask();
    }, RETRY_MS);
  }

  private allThere(feeds: ReadonlySet<string>): void {
    this.asked = false;
    this.synced = true;
    for (const [feed, drawings] of this.feeds) {
      if (!feeds.has(feed)) drawings.empty();
      drawings.repeat();
    }
  }

  private refused(code: string, ref: string | null): void {
    if (PASSING.has(code) || this.retrying) {
      this.retryLater();
      return;
    }
    for (const drawings of this.feeds.values()) drawings.refused(ref);
    if (code === "already_done") this.ask();
    else if (!code.startsWith("nothing_to")) this.problem.set(code);
  }

  private retryLater(): void {
    if (this.retrying) return;
    this.retrying = true;
    this.parts.later(() => {
      this.retrying = false;
      if (this.synced) for (const drawings of this.feeds.values()) drawings.repeat();
    }, RETRY_MS);
  }
}
