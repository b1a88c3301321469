const KEPT_SAMPLES = 8;

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

  /** The server's time arrived without a round trip (in `welcome`): right to within the network's delay. */
  seed(receivedMs: number, serverTimeUs: number): void {
    if (this.samples.length === 0) {
      this.samples.push({ offsetUs: serverTimeUs - receivedMs * 1000, rttMs: Infinity });
    }
  }

  pong(sentMs: number, receivedMs: number, serverTimeUs: number): void {
    const rttMs = Math.max(0, receivedMs - sentMs);
    const middleMs = sentMs + rttMs / 2;
    this.samples.push({ offsetUs: serverTimeUs - middleMs * 1000, rttMs });
    if (this.samples.length > KEPT_SAMPLES) this.samples.shift();
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

  /** Server's Unix time in µs at local time `localMs`; null before the first word from the server. */
  serverTimeUs(localMs: number): number | null {
    const { best } = this;
    return best === null ? null : localMs * 1000 + best.offsetUs;
  }
}
