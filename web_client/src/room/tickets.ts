import type { JoinedRoom } from "../api/session";
import type { RoomTicket } from "./connection";

/** A token this close to its end may not survive the greeting. */
const MARGIN_MS = 15_000;

/** Room tokens, kept while they are good for a greeting. */
export class Tickets {
  private held: { joined: JoinedRoom; untilMs: number } | null = null;

  constructor(
    private readonly join: () => Promise<JoinedRoom>,
    private readonly pageUrl: string,
    private readonly now: () => number,
  ) {}

  /** The token at hand; `renew` or an old one: ask again whether we may come in at all. Throws `ApiError`. */
  async get(renew: boolean): Promise<RoomTicket> {
    const held =
      this.held !== null && !renew && this.now() < this.held.untilMs ? this.held : await this.ask();
    return { url: socketUrl(held.joined, this.pageUrl), token: held.joined.token };
  }

  /** How long the token at hand is good, ms; null when there is none. */
  get leftMs(): number | null {
    return this.held === null ? null : this.held.untilMs + MARGIN_MS - this.now();
  }

  private async ask() {
    const joined = await this.join();
    this.held = { joined, untilMs: this.now() + joined.expires_in * 1000 - MARGIN_MS };
    return this.held;
  }
}

/** The server's `ws_url` may be a path or an address; the room is always named in it, the token never. */
export function socketUrl(joined: Pick<JoinedRoom, "ws_url" | "room">, pageUrl: string): string {
  const url = new URL(joined.ws_url, pageUrl);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("room", joined.room);
  return url.href;
}
