import type { Still } from "../../protocol/messages";
import type { RoomEvent } from "../events";
import { sha256 } from "../format/bytes";
import type { Load } from "../player/sourceFeeder";
import type { Timeline, Track } from "../player/timeline";
import { ReplayError } from "../worker/protocol";

const KINDS = new Set(["frozen", "still_changed", "unfrozen", "room_state"]);

/** What was shown of a feed from then on; null: its live picture. */
interface Step {
  fromUs: number;
  still: Still | null;
}

/**
 * Pure: which frozen frame was shown instead of which live picture, and when: to everybody who did not go back to the
 * live one on their own, as `annotation/freeze/freezeDesk.ts` does it in the room.
 */
export class ArchivedStills {
  private readonly told: RoomEvent[] = [];
  private feeds: ReadonlyMap<string, readonly Step[]> | null = null;

  /** In any order. What is about something else is passed over. */
  take(event: RoomEvent): void {
    if (!KINDS.has(event.type)) return;
    this.told.push(event);
    this.feeds = null;
  }

  at(feed: string, atUs: number): Still | null {
    this.feeds ??= stepsOf(this.told);
    return this.feeds.get(feed)?.findLast(({ fromUs }) => fromUs <= atUs)?.still ?? null;
  }
}

function stepsOf(told: readonly RoomEvent[]): ReadonlyMap<string, readonly Step[]> {
  const steps = new Map<string, Step[]>();
  const ready = new Map<string, Still>();
  const show = (feed: string, fromUs: number, still: Still | null) => {
    const own = steps.get(feed) ?? [];
    steps.set(feed, own);
    if ((own.at(-1)?.still ?? null) !== still) own.push({ fromUs, still });
  };
  const gone = (id: string, fromUs: number) => {
    for (const [feed, own] of steps) if (own.at(-1)?.still?.still_id === id) show(feed, fromUs, null);
    ready.delete(id);
  };
  const came = (still: Still, fromUs: number) => {
    ready.set(still.still_id, still);
    show(still.feed, fromUs, still);
  };
  for (const { type, atUs, fields } of [...told].sort((one, other) => one.atUs - other.atUs)) {
    if (type === "unfrozen") gone(fields["still_id"] as string, atUs);
    else if (type === "room_state") {
      const there = readyIn(fields["stills"]);
      for (const id of [...ready.keys()]) if (!there.some((one) => one.still_id === id)) gone(id, atUs);
      for (const still of there) if (!ready.has(still.still_id)) came(still, atUs);
    } else for (const still of readyIn([fields["still"]])) came(still, atUs);
  }
  return steps;
}

/** Those whose picture had come; what is not as it should be is none. */
function readyIn(told: unknown): Still[] {
  return Array.isArray(told) ? told.filter(isReady) : [];
}

function isReady(told: unknown): told is Still {
  const still = told as Partial<Still> | null | undefined;
  return (
    still?.state === "ready" &&
    typeof still.still_id === "string" &&
    typeof still.feed === "string" &&
    Number.isFinite(still.captured_us)
  );
}

/** Nothing is said of moments when the site had paused, or nobody recorded what happened. */
export function stillShown(
  stills: ArchivedStills,
  { gaps }: Pick<Timeline, "gaps">,
  track: Pick<Track, "name" | "feed" | "input">,
  atUs: number,
): Still | null {
  if (track.input !== "device") return null;
  const hidden = gaps.some(
    (gap) =>
      gap.begin_us <= atUs &&
      atUs < gap.end_us &&
      (gap.track === null || (gap.track === track.name && gap.reason === "privacy_pause")),
  );
  return hidden ? null : stills.at(track.feed, atUs);
}

/**
 * The archived picture, compared with the manifest when it was read, and with what the room was told of it here. Throws
 * `ReplayError`: `missing`, `altered`, or why it could not be read.
 */
export async function stillPicture(
  { still_id: id, file }: Pick<Still, "still_id" | "file">,
  { files }: Pick<Timeline, "files">,
  load: Load,
): Promise<ArrayBuffer> {
  const entry = files.get(id);
  if (entry === undefined) throw new ReplayError("missing", id);
  const picture = await load(entry.object, entry.sha256);
  if (file?.sha256 !== (await sha256(new Uint8Array(picture)))) throw new ReplayError("altered", id);
  return picture;
}
