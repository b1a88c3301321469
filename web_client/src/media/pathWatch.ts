import type { StatsLike } from "./inbound";

/** The server says something on every connection twice a second at least: silence this long is the network's. */
export const SILENT_MS = 700;
/** So much silence is worth asking whether the server is there at all. */
export const DOUBTFUL_MS = 500;

/** All that ever arrived on a connection, in bytes; null when the browser does not tell. */
export function receivedBytes(report: StatsLike): number | null {
  const found = { transport: [] as number[], "candidate-pair": [] as number[] };
  report.forEach((entry) => {
    const { type, bytesReceived } = entry as { type: unknown; bytesReceived: unknown };
    if ((type !== "transport" && type !== "candidate-pair") || typeof bytesReceived !== "number") return;
    found[type].push(bytesReceived);
  });
  const told = found.transport.length > 0 ? found.transport : found["candidate-pair"];
  return told.length === 0 ? null : told.reduce((sum, one) => sum + one, 0);
}

/**
 * Notices that nothing arrives on a connection any more, long before ICE does (browsers check a path that works every
 * few seconds). Pure: told what has arrived and when.
 */
export class PathWatch {
  /** For how long nothing had arrived when it was last looked at; 0 before anything did. */
  silentMs = 0;
  private received: number | null = null;
  private movedMs: number | null = null;

  /** `received`: bytes so far; null while there is no connection. */
  read(received: number | null, nowMs: number): void {
    if (received !== null && this.received !== null && received > this.received) this.movedMs = nowMs;
    // Another connection, which has yet to come up.
    else if (received === null || received < (this.received ?? 0)) this.movedMs = null;
    this.received = received;
    this.silentMs = this.movedMs === null ? 0 : nowMs - this.movedMs;
  }

  reset(): void {
    this.received = this.movedMs = null;
    this.silentMs = 0;
  }
}
