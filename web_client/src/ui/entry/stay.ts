import type { TokenStorage } from "../../api/session";

const KEY = "teleconsult.inRoom";

/** The room this tab is in: a reload goes straight back into it, every other way leads past the devices' page. */
export class StayMark {
  constructor(private readonly tab: TokenStorage) {}

  isIn(room: string): boolean {
    return this.tab.getItem(KEY) === room;
  }

  enter(room: string): void {
    this.tab.setItem(KEY, room);
  }

  leave(): void {
    this.tab.removeItem(KEY);
  }
}
