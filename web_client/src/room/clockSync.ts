const KEPT_SAMPLES = 8;
/** So far two clocks of quartz part while the samples are kept, and a little more, ms. */
const DRIFT_MS = 20;

interface Sample {
  /** Add to local µs to get the server's. */
  offsetUs: number;
  rttMs: number;
}

/**
 * The server's clock as seen from here, from pings (RFC 5905's idea: the quickest of the last round trips is
 * the truest). Local time is `performance.now()`, which never steps.
 */
export class ClockSync {
  private samples: Sample[] = [];
  private lastOffsetUs: number | null = null;

  /** The server's time arrived without a round trip (in `welcome`): right to within the network's delay. */
  seed(receivedMs: number, serverTimeUs: number): void {
    if (this.samples.length === 0) {
      this.keep({ offsetUs: serverTimeUs - receivedMs * 1000, rttMs: Infinity });
    }
  }

  pong(sentMs: number, receivedMs: number, serverTimeUs: number): void {
    const rttMs = Math.max(0, receivedMs - sentMs);
    const middleMs = sentMs + rttMs / 2;
    const sample = { offsetUs: serverTimeUs - middleMs * 1000, rttMs };
    // A clock has stepped since: this one slept without losing the connection, or the server's was set.
    this.samples = this.samples.filter((before) => agree(before, sample));
    this.keep(sample);
  }

  /** A suspended machine's clock may have stopped meanwhile: forget what was measured before. */
  reset(): void {
    this.samples = [];
  }

  get best(): Sample | null {
    return this.samples.reduce<Sample | null>(
      (best, sample) => (best === null || sample.rttMs <= best.rttMs ? sample : best),
      null,
    );
  }

  /** As `serverTimeUs`, also while a lost connection is made again: good enough to count minutes. */
  roughServerTimeUs(localMs: number): number | null {
    return this.lastOffsetUs === null ? null : localMs * 1000 + this.lastOffsetUs;
  }

  /** Server's Unix time in µs at local time `localMs`; null before the first word from the server. */
  serverTimeUs(localMs: number): number | null {
    const { best } = this;
    return best === null ? null : localMs * 1000 + best.offsetUs;
  }

  private keep(sample: Sample): void {
    this.samples.push(sample);
    if (this.samples.length > KEPT_SAMPLES) this.samples.shift();
    this.lastOffsetUs = this.best?.offsetUs ?? sample.offsetUs;
  }
}

/** The true offset lies within half a round trip of the measured one: can both be right? */
function agree(a: Sample, b: Sample): boolean {
  return Math.abs(a.offsetUs - b.offsetUs) / 1000 <= (a.rttMs + b.rttMs) / 2 + DRIFT_MS;
}
