import { ApiError } from "../api/http";

/** Renew this long before the end, or when a third of a shorter life is left, ms. */
const MARGIN_MS = 90_000;
const RETRY_MS = 5_000;
/** Nobody answered: ask again. */
const ANSWER_LIMIT_MS = 10_000;

export interface RenewalParts {
  /** A fresh room token. Throws `ApiError`. */
  fetch: () => Promise<string>;
  /** False when it cannot be said now. */
  say: (token: string) => boolean;
}

/**
 * Keeps the room's connection allowed beyond its token's end. `look` is called on every tick, so that a machine that
 * slept renews as soon as it wakes. All times are the server's or monotonic; nothing here reads a clock.
 */
export class Renewal {
  private dueUs: number | null = null;
  private notBeforeMs = 0;
  private fetching = false;

  constructor(private readonly parts: RenewalParts) {}

  /** The token ends at `expiresUs`, and it is `serverTimeUs` now; null: this connection needs no renewing. */
  expires(expiresUs: number | null, serverTimeUs: number): void {
    this.notBeforeMs = 0;
    if (expiresUs === null) {
      this.dueUs = null;
      return;
    }
    const marginUs = Math.min(MARGIN_MS * 1000, (expiresUs - serverTimeUs) / 3);
    this.dueUs = expiresUs - marginUs;
  }

  look(serverTimeUs: number | null, nowMs: number): void {
    if (this.dueUs === null || serverTimeUs === null || serverTimeUs < this.dueUs) return;
    if (this.fetching || nowMs < this.notBeforeMs) return;
    this.notBeforeMs = nowMs + ANSWER_LIMIT_MS;
    void this.renew(nowMs);
  }

  /** The server did not take the token. */
  refused(nowMs: number): void {
    this.notBeforeMs = nowMs + RETRY_MS;
  }

  private async renew(nowMs: number): Promise<void> {
    this.fetching = true;
    try {
      this.parts.say(await this.parts.fetch());
    } catch (error) {
      // A decision is not asked for again: the server ends this connection when its token ends.
      if (error instanceof ApiError && !error.isTemporary) this.dueUs = null;
      else this.refused(nowMs);
    } finally {
      this.fetching = false;
    }
  }
}
