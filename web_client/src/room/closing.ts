/** Why the connection was lost, as far as it is known. */
export type LostReason =
  | "network"
  /** The server said that it restarts. */
  | "restarting"
  /** We did not read what it sent. */
  | "too-slow"
  /** We said too much at once. */
  | "flood"
  /** The room token ended. */
  | "token";

export type Closing =
  | { over: false; reason: LostReason; renew: boolean; waitMs: number }
  /** A decision: nobody comes back by trying again. `code` as in problem documents. */
  | { over: true; code: string };

const FLOOD_WAIT_MS = 5_000;

/** What the server means by closing its WebSocket (docs/design.md, "close codes"). Pure. */
export function readClosing(code: number, reason: string): Closing {
  switch (code) {
    case 4401:
      return { over: false, reason: "token", renew: true, waitMs: 0 };
    case 4403:
      return { over: true, code: reason === "" ? "forbidden" : reason };
    case 4404:
      return { over: true, code: reason === "" ? "not_found" : reason };
    case 4409:
      return { over: true, code: "resumed_elsewhere" };
    case 4410:
      return { over: true, code: "taken_over" };
    case 4408:
      return { over: false, reason: "too-slow", renew: false, waitMs: 0 };
    case 4429:
      return { over: false, reason: "flood", renew: false, waitMs: FLOOD_WAIT_MS };
    case 1001:
    case 1012:
    case 4503:
      return { over: false, reason: "restarting", renew: false, waitMs: 0 };
    default:
      return { over: false, reason: "network", renew: false, waitMs: 0 };
  }
}
