import type { Entry } from "./entries";
import type { Leaf } from "./leaves";

/**
 * Compares when an archive says that recording was stopped with when the log says that somebody did. Both are clocks
 * of one service, but not of one process, and what stops or begins takes a moment. Pure.
 */
const SLACK_US = 10_000_000;

/** Not recorded, by decision: µs since 1970. */
interface Stop {
  beginUs: number;
  endUs: number;
}

/** From its leaves, in order; the time before it began for the first time, too. */
export function stopsOf(leaves: readonly Leaf[]): Stop[] {
  const stops: Stop[] = [];
  const decisions = decisionsOf(leaves);
  let since: number | null = null;
  for (const { atUs, record } of decisions) {
    if (!record) since ??= atUs;
    else if (since !== null) {
      stops.push({ beginUs: since, endUs: atUs });
      since = null;
    }
  }
  if (since !== null && decisions.length > 1) stops.push({ beginUs: since, endUs: Number.POSITIVE_INFINITY });
  return stops;
}

/** How it was opened, and what changed that. */
function decisionsOf(leaves: readonly Leaf[]): { atUs: number; record: boolean }[] {
  const found: { atUs: number; record: boolean }[] = [];
  let changes = 0;
  for (const leaf of leaves) {
    if (leaf.kind !== "open" && leaf.kind !== "recording") continue;
    if (leaf.kind === "recording" && leaf.reason === "corrected" && changes > 0) {
      found.pop();
      changes -= 1;
    }
    if (found.at(-1)?.record === leaf.record) continue;
    if (leaf.kind === "recording") changes += 1;
    found.push({ atUs: leaf.at_us, record: leaf.record });
  }
  return found;
}

/** What contradicts the log; `entries`: those that somebody has seen (what is newer may be ahead of the log). */
export function stopProblem(
  leaves: readonly Leaf[],
  entries: readonly Entry[],
): "recorded_while_stopped" | "stop_unfounded" | null {
  const stops = stopsOf(leaves);
  const [opened] = entries;
  if (opened?.kind !== "open") return null;
  const at = (us: number) => opened.epoch_us + us;
  let unfounded = false;
  for (const entry of entries) {
    if (entry.kind === "piece") {
      const [begin, end] = [at(entry.begin_us), at(entry.end_us)];
      const inside = stops.some(
        ({ beginUs, endUs }) => begin >= beginUs + SLACK_US && end <= endUs - SLACK_US,
      );
      if (inside) return "recorded_while_stopped";
    } else if (entry.kind === "gap" && entry.reason === "recording_stopped" && entry.track === null) {
      const [begin, end] = [at(entry.begin_us), at(entry.end_us)];
      const near = stops.some(({ beginUs, endUs }) => begin <= endUs + SLACK_US && end >= beginUs - SLACK_US);
      unfounded ||= !near;
    }
  }
  return unfounded ? "stop_unfounded" : null;
}
