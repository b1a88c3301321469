import type { MediaMonitor } from "../../media/monitor";
import type { ClientMessage, FileInfo } from "../../protocol/messages";
import type { Feed } from "../../room/feeds";
import { PictureShelf } from "../../room/pictureShelf";
import { FreezeDesk, shownStill } from "./freezeDesk";

export interface FreezeRoomParts {
  say: (message: ClientMessage) => boolean;
  read: (file: FileInfo) => Promise<Blob>;
  monitor: Pick<MediaMonitor, "shownUs">;
}

/** Freezing in one stay: what is frozen, its pictures, and the way to freeze what is on screen. */
export class FreezeRoom {
  readonly freezes: FreezeDesk;
  readonly pictures: PictureShelf;
  readonly monitor: FreezeRoomParts["monitor"];

  constructor({ say, read, monitor }: FreezeRoomParts) {
    this.monitor = monitor;
    this.pictures = new PictureShelf(read);
    this.freezes = new FreezeDesk({
      say,
      newId: () => crypto.randomUUID(),
      later: (act, ms) => setTimeout(act, ms),
    });
  }

  /** Freeze the very frame that is on this person's screen, for everybody. */
  freeze({ id, boxed, trackId }: Feed): void {
    if (!boxed) this.freezes.refuse(id, "box_away");
    else this.freezes.freeze(id, trackId === null ? null : this.monitor.shownUs(trackId));
  }

  /** What the key does: freeze, and from a still back to the live picture. */
  toggle(feed: Feed): void {
    if (feed.kind !== "device") return;
    const shows = !feed.paused && shownStill(this.freezes.store.get(), feed.id) !== null;
    if (!shows) this.freeze(feed);
    else this.freezes.choose(feed.id, null);
  }
}
