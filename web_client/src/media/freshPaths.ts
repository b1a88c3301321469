const CANDIDATE = /^(a=candidate:\S+ \d+ \S+ )(\d+)( .*?)(\r?)$/gm;
const UFRAG = /^a=ice-ufrag:(\S+)/m;
/** Below what any browser gives a direct way of its own, so that this number decides (RFC 8445, section 6.1.2.3). */
const LOWEST = 70 * 2 ** 24;
/** More candidates than a server has, fewer restarts than fit below the browser's own numbers. */
const PER_RESTART = 2 ** 12;
const MOST_RESTARTS = 2 ** 15;
/** Chromium adds up both ends' costs of a network before it looks at priorities; this is the most it counts. */
const FULL_COST = 999;

/**
 * Gives the candidates of a server other priorities: what is found after an ICE restart precedes everything found
 * before it.
 *
 * A browser keeps sending over the old pair for seconds after its network is gone, as long as that one has the higher
 * priority; with the lower one it is left as soon as a new one answers. Each restart is for the reason that the old
 * pairs are doubted, whichever network they are on, so a phone's costly network must not be held back either
 * (`network-cost`, known to Chromium alone). One object for each connection; pure.
 */
export class FreshPaths {
  private ufrag: string | null = null;
  private restarts = -1;

  /** The description to be set instead of this one. */
  ranked(sdp: string): string {
    const ufrag = UFRAG.exec(sdp)?.[1] ?? null;
    if (ufrag !== this.ufrag) {
      this.ufrag = ufrag;
      this.restarts = Math.min(this.restarts + 1, MOST_RESTARTS);
    }
    const order = [...sdp.matchAll(CANDIDATE)].map((found) => Number(found[2])).sort((a, b) => a - b);
    const cost = this.restarts === 0 ? FULL_COST : 0;
    return sdp.replace(CANDIDATE, (_, head: string, priority: string, rest: string, end: string) => {
      const rank = order.indexOf(Number(priority));
      return `${head}${String(LOWEST + this.restarts * PER_RESTART + rank)}${rest} network-cost ${String(cost)}${end}`;
    });
  }
}
