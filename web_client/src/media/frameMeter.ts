const AGE_WINDOW_MS = 1_000;
const RATE_WINDOW_MS = 2_000;
/** More callbacks than any display makes in a window: a bound, oldest dropped first. */
const MAX_SAMPLES = 512;

interface AgeSample {
  atMs: number;
  ageMs: number;
}

interface DecodedSample {
  atMs: number;
  frames: number;
}

/** What one feed's pictures look like in time. All times are `performance.now()` milliseconds. */
export class FrameMeter {
  firstFrameMs: number | null = null;
  lastFrameMs: number | null = null;
  longestGapMs = 0;
  framesShown = 0;
  private ages: AgeSample[] = [];
  private decoded: DecodedSample[] = [];

  /** A frame came on screen. `ageMs` is null while its capture time is unknown. */
  frameShown(atMs: number, ageMs: number | null): void {
    if (this.lastFrameMs !== null) this.longestGapMs = Math.max(this.longestGapMs, atMs - this.lastFrameMs);
    this.arrived(atMs);
    this.framesShown += 1;
    if (ageMs !== null) this.ages.push({ atMs, ageMs });
    if (this.ages.length > MAX_SAMPLES) this.ages.shift();
  }

  /**
   * The decoder's counter. `isLife`: nothing shows this picture now and could tell of its frames, as on a hidden page;
   * else only what came on screen counts, because a picture may stand still while the decoder goes on.
   */
  framesDecoded(atMs: number, frames: number, isLife = true): void {
    const before = this.decoded.at(-1);
    if (before !== undefined && frames < before.frames) this.decoded = [];
    else if (before !== undefined && frames > before.frames && isLife) this.arrived(atMs);
    this.decoded.push({ atMs, frames });
    while (this.decoded.length > 2 && (this.decoded[1]?.atMs ?? atMs) <= atMs - RATE_WINDOW_MS) {
      this.decoded.shift();
    }
  }

  /** Decoded frames per second over the last two seconds; null until two counts exist. */
  get framesPerSecond(): number | null {
    const first = this.decoded[0];
    const last = this.decoded.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
    return ((last.frames - first.frames) * 1000) / (last.atMs - first.atMs);
  }

  /**
   * How old the picture on screen is: the median over the last second; when the next frame is overdue, the age of the
   * last one by now. A picture that stops therefore grows old at once.
   */
  ageMs(nowMs: number): number | null {
    const newest = this.ages.at(-1);
    if (newest === undefined) return null;
    const recent = this.ages.filter((sample) => sample.atMs > nowMs - AGE_WINDOW_MS);
    this.ages = recent.length > 0 ? recent : [newest];
    const median = middle(this.ages.map((sample) => sample.ageMs));
    const frameTimeMs = 1000 / Math.max(1, this.framesPerSecond ?? 1);
    const waitedMs = nowMs - newest.atMs;
    return waitedMs > 2 * frameTimeMs ? Math.max(median, newest.ageMs + waitedMs) : median;
  }

  private arrived(atMs: number): void {
    this.firstFrameMs ??= atMs;
    this.lastFrameMs = Math.max(this.lastFrameMs ?? atMs, atMs);
  }
}

function middle(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
