import type { ChatEntry, Participant } from "../protocol/messages";
import { FILES_MAX } from "./fileRules";
import { Outbox, type OutboxParts } from "./outbox";
import { Store } from "./store";

/**
 * What a person writes in one room: unfinished text, messages on their way, what was read. It outlives a stay, so that
 * being thrown out by a network or a sign-in that ended costs nobody a sentence. Memory only: it dies with the page.
 */
export class ChatDesk {
  readonly draft = new Store("");
  /** Files chosen for the next message. */
  readonly chosen = new Store<readonly File[]>([]);
  /** The newest message that was on screen. */
  readonly readUpTo = new Store<string | null>(null);
  readonly outbox: Outbox;
  private person: string | null = null;
  private parts: Pick<OutboxParts, "say" | "upload"> | null = null;

  constructor(newRef: () => string = () => crypto.randomUUID()) {
    this.outbox = new Outbox({
      say: (message) => this.parts?.say(message) ?? false,
      upload: (file, progress, signal) =>
        this.parts?.upload(file, progress, signal) ?? Promise.reject(new Error("no room")),
      newRef,
      later: (act, ms) => {
        const timer = setTimeout(act, ms);
        return () => {
          clearTimeout(timer);
        };
      },
    });
  }

  /** A stay begins and carries the messages. */
  attach(parts: Pick<OutboxParts, "say" | "upload">): void {
    this.parts = parts;
  }

  /** The stay is over; another one may go on. */
  detach(): void {
    this.outbox.pause();
    this.parts = null;
  }

  /** In the room as `me`, with the messages so far. What somebody else left at this page is not theirs to send. */
  joined(me: Participant, chat: readonly ChatEntry[]): void {
    const person = personOf(me);
    if (this.person !== null && this.person !== person) {
      this.outbox.clear();
      this.draft.set("");
      this.chosen.set([]);
      this.readUpTo.set(null);
    }
    this.person = person;
    this.outbox.seen(chat, person);
    this.outbox.open();
  }

  /** Sends what was written and chosen; false when too many messages wait already. */
  send(): boolean {
    const sent = this.outbox.add(this.draft.get().trim(), this.chosen.get());
    if (sent) {
      this.draft.set("");
      this.chosen.set([]);
    }
    return sent;
  }

  /** A message that did not go out is written anew; what is being written now is kept behind it. */
  edit(ref: string): void {
    const { text, files } = this.outbox.discard(ref);
    const draft = this.draft.get();
    this.draft.set(draft.trim() === "" ? text : `${text}\n${draft}`);
    this.chosen.set([...files, ...this.chosen.get()].slice(0, FILES_MAX));
  }

  added(entry: ChatEntry): void {
    if (this.person !== null) this.outbox.seen([entry], this.person);
  }
}

/** Whose messages are one's own: a person may have several seats. */
export function personOf({ person, participant_id: id }: Participant): string {
  return person === "" ? id : person;
}

/** How many messages of others came after the last one that was read. Pure. */
export function unreadCount(chat: readonly ChatEntry[], readUpTo: string | null, person: string): number {
  const at = chat.findIndex((entry) => entry.chat_id === readUpTo);
  return chat.slice(at + 1).filter((entry) => entry.person !== person).length;
}

/** One desk per room and page; `page` is what lives as long as the page does. */
const desks = new WeakMap<object, Map<string, ChatDesk>>();

export function deskOf(page: object, room: string): ChatDesk {
  const rooms = desks.get(page) ?? new Map<string, ChatDesk>();
  desks.set(page, rooms);
  const desk = rooms.get(room) ?? new ChatDesk();
  rooms.set(room, desk);
  return desk;
}
