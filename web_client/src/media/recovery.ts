import { SILENT_MS } from "./pathWatch";

/** What to do about a peer connection: fresh ICE credentials, or a new connection. */
export type Remedy = "restart" | "rebuild";

const SETTLE_MS = 4_000;
const CONNECTING_LIMIT_MS = 6_000;
const RESTARTS_BEFORE_REBUILD = 2;

/**
 * When to restart ICE and when to give a connection up. Pure: told the state and the time, answers with a remedy.
 *
 * `disconnected` is acted on at once, as a changed network looks like that; so is silence, once, as a connection
 * counts as connected for many seconds after its network is gone. A remedy gets 4 s to work before the next; two
 * restarts in vain, then the connection is rebuilt.
 */
export class IceRecovery {
  private unhealthySinceMs: number | null = null;
  private lastRemedyMs = -Infinity;
  private restarts = 0;
  private actedOnSilence = false;

  /** `silentMs`: for how long nothing has arrived. */
  update(state: RTCPeerConnectionState, nowMs: number, silentMs = 0): Remedy | null {
    if (state === "connected") return this.listen(nowMs, silentMs);
    if (state === "closed") return null;
    this.unhealthySinceMs ??= nowMs;
    const starting = state === "new" || state === "connecting";
    if (starting && nowMs - this.unhealthySinceMs < CONNECTING_LIMIT_MS) return null;
    if (nowMs - this.lastRemedyMs < SETTLE_MS) return null;
    this.lastRemedyMs = nowMs;
    if (this.restarts >= RESTARTS_BEFORE_REBUILD) {
      this.restarts = 0;
      return "rebuild";
    }
    this.restarts += 1;
    return "restart";
  }

  /** Somebody else restarted it: that gets its time, too. */
  restarted(nowMs: number): void {
    this.lastRemedyMs = nowMs;
    this.actedOnSilence = true;
    this.restarts = Math.max(1, this.restarts);
  }

  reset(): void {
    this.unhealthySinceMs = null;
    this.lastRemedyMs = -Infinity;
    this.restarts = 0;
    this.actedOnSilence = false;
  }

  private listen(nowMs: number, silentMs: number): Remedy | null {
    const heardSince = silentMs < nowMs - this.lastRemedyMs;
    if (silentMs < SILENT_MS) {
      if (heardSince) this.reset();
      return null;
    }
    if (this.actedOnSilence) return null;
    this.actedOnSilence = true;
    this.lastRemedyMs = nowMs;
    this.restarts = 1;
    return "restart";
  }
}
