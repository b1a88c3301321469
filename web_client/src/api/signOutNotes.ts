import type { TokenStorage } from "./tokenKeeper";

export const NOTES_KEY = "teleconsult.signed-out";
const SINCE_KEY = "teleconsult.since";
/** Sign-ins end by themselves after twelve hours: older notes concern nobody. */
const KEPT_MS = 13 * 3_600_000;

/**
 * Who signed out in this browser, and when: signing out in one tab is meant for all of them, also for one that the
 * browser froze or discarded meanwhile. Holds ids only.
 */
export class SignOutNotes {
  constructor(
    private readonly tab: TokenStorage,
    private readonly shared: TokenStorage,
    private readonly wallMs: () => number,
  ) {}

  /** Somebody signed in, in this tab. */
  enter(): void {
    this.tab.setItem(SINCE_KEY, String(this.wallMs()));
  }

  /** This person signed out. */
  leave(userId: string): void {
    const oldest = this.wallMs() - KEPT_MS;
    const kept = Object.entries(this.read()).filter(([, atMs]) => atMs > oldest);
    const notes = Object.fromEntries([...kept, [userId, this.wallMs()]]);
    this.shared.setItem(NOTES_KEY, JSON.stringify(notes));
  }

  /** True when this person signed out, in whatever tab, since they signed in in this one. */
  hasLeft(userId: string): boolean {
    const since = Number(this.tab.getItem(SINCE_KEY) ?? Number.POSITIVE_INFINITY);
    return (this.read()[userId] ?? Number.NEGATIVE_INFINITY) > since;
  }

  private read(): Record<string, number> {
    try {
      const notes = JSON.parse(this.shared.getItem(NOTES_KEY) ?? "{}") as unknown;
      return typeof notes === "object" && notes !== null ? (notes as Record<string, number>) : {};
    } catch {
      return {};
    }
  }
}
