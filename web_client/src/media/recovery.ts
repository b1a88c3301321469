/** What to do about a peer connection: fresh ICE credentials, or a new connection. */
export type Remedy = "restart" | "rebuild";

const SETTLE_MS = 4_000;
const CONNECTING_LIMIT_MS = 6_000;
const RESTARTS_BEFORE_REBUILD = 2;

/**
 * When to restart ICE and when to give a connection up. Pure: told the state and the time, answers with a remedy.
 *
 * `disconnected` is acted on at once, as a changed network looks like that; a remedy gets 4 s to work before the
 * next; two restarts in vain, then the connection is rebuilt.
 */
export class IceRecovery {
  private unhealthySinceMs: number | null = null;
  private lastRemedyMs = -Infinity;
  private restarts = 0;

  update(state: RTCPeerConnectionState, nowMs: number): Remedy | null {
    if (state === "connected") {
      this.reset();
      return null;
    }
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

  reset(): void {
    this.unhealthySinceMs = null;
    this.lastRemedyMs = -Infinity;
    this.restarts = 0;
  }
}
