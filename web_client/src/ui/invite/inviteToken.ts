import type { TokenStorage } from "../../api/session";
import { Store } from "../../room/store";
import { readHash } from "../route";

const KEY = "teleconsult.invite";

/**
 * The token of the invitation this tab was opened with. It leaves the address (and what is copied, bookmarked or
 * photographed from there) at once, and waits in this tab's storage until it is exchanged, so that a reload before
 * that does not lose it.
 */
export class InviteToken {
  readonly store: Store<string | null>;

  constructor(private readonly tab: TokenStorage) {
    this.store = new Store(tab.getItem(KEY));
  }

  /** Reads the address; call it at the start and whenever the address changes. */
  take({ location, history }: Pick<Window, "location" | "history">): void {
    const route = readHash(location.hash);
    if (route.page !== "invite" || route.token === null) return;
    history.replaceState(null, "", "#/invite");
    this.tab.setItem(KEY, route.token);
    this.store.set(route.token);
  }

  /** Exchanged, or found worthless. */
  drop(): void {
    this.tab.removeItem(KEY);
    this.store.set(null);
  }
}
