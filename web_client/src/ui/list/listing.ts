import { ApiError } from "../../api/http";
import type { Consultation } from "../../api/types";
import { Store } from "../../room/store";

/** How long closed consultations are listed, ms. */
const SHOW_CLOSED_MS = 7 * 24 * 3_600_000;
/** Closed ones change only when an open one goes: otherwise they are asked for this seldom, in looks. */
const CLOSED_EVERY_LOOKS = 12;

export interface Listing {
  /** Null until loaded for the first time. */
  open: readonly Consultation[] | null;
  /** Of the last days, newest first. */
  closed: readonly Consultation[];
  /** The last look failed: what is shown may be old. */
  failed: boolean;
}

type Load = (state: "open" | "closed") => Promise<Consultation[]>;

/** Looks at the consultations again and again; what is shown changes only when they do. */
export class Lookout {
  readonly store = new Store<Listing>({ open: null, closed: [], failed: false });
  private looks = 0;
  private looking = false;
  private stopped = false;

  constructor(
    private readonly load: Load,
    private readonly wallMs: () => number = () => Date.now(),
  ) {}

  /** One look; while one is under way another is not begun. */
  async look(): Promise<void> {
    if (this.looking || this.stopped) return;
    this.looking = true;
    try {
      const open = await this.load("open");
      const closed = this.wantsClosed(open) ? await this.load("closed") : this.store.get().closed;
      this.looks += 1;
      this.show({ open, closed: this.recent(closed), failed: false });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.show({ ...this.store.get(), failed: true });
    } finally {
      this.looking = false;
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private wantsClosed(open: readonly Consultation[]): boolean {
    const now = new Set(open.map((one) => one.consultation_id));
    const gone = (this.store.get().open ?? []).some((one) => !now.has(one.consultation_id));
    return gone || this.looks % CLOSED_EVERY_LOOKS === 0;
  }

  private recent(closed: readonly Consultation[]): readonly Consultation[] {
    const oldestUs = (this.wallMs() - SHOW_CLOSED_MS) * 1000;
    return closed.filter((one) => (one.closed_at_us ?? one.opened_at_us) > oldestUs);
  }

  private show(next: Listing): void {
    if (this.stopped || JSON.stringify(next) === JSON.stringify(this.store.get())) return;
    this.store.set(next);
  }
}

/** Every word of `wanted` is somewhere in what the card shows. */
export function matches(one: Consultation, wanted: string): boolean {
  const shown = [one.header, one.specialty, one.site, one.room, one.question].join(" ").toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => shown.includes(word));
}
