const FIRST_MS = 200;
const LONGEST_MS = 5_000;

/**
 * How long to wait before reconnection attempt `attempt` (0 is the first), in ms.
 *
 * Doubles from 0.2 s to 5 s; jittered by half, so that a restarted server is not met by everyone at once.
 * `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return full * (0.5 + random / 2);
}
