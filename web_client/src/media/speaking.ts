/** Speech that pauses for less than this goes on: people breathe. */
const HOLDS_MS = 1_200;

/** Who speaks, without flicker. Pure: one per audio track, one reading after another. */
export class SteadySpeech {
  private lastMs: number | null = null;

  update(speaks: boolean, nowMs: number): boolean {
    if (speaks) this.lastMs = nowMs;
    return this.lastMs !== null && nowMs - this.lastMs < HOLDS_MS;
  }
}
