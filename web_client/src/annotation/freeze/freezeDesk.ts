import type { ClientMessage, ServerMessage, Still } from "../../protocol/messages";
import { Store } from "../../room/store";

/** Words about what did not work stay so long. */
const PROBLEM_SHOWN_MS = 10_000;

export interface Freezes {
  /** All that are frozen in the room, oldest first; the pictures of those that are `wanted` have not come yet. */
  stills: readonly Still[];
  /** By feed: the still that is looked at; null: the live picture. */
  chosen: ReadonlyMap<string, string | null>;
  /** By feed: why something did not work. */
  problems: ReadonlyMap<string, string>;
}

export const NOTHING_FROZEN: Freezes = { stills: [], chosen: new Map(), problems: new Map() };

export interface FreezeParts {
  /** False when the room is away. */
  say: (message: ClientMessage) => boolean;
  newId: () => string;
  later: (act: () => void, ms: number) => unknown;
}

/** What is frozen in a room, and what this person looks at. Freezing is shared: everybody is shown the still. */
export class FreezeDesk {
  readonly store = new Store(NOTHING_FROZEN);
  /** Feeds by the `ref` of a wish that is not answered yet. */
  private readonly asked = new Map<string, string>();
  private latestAsked: string | null = null;

  constructor(private readonly parts: FreezeParts) {}

  /** `capturedUs`: of the frame on screen; null: nobody knows which one it is. */
  freeze(feed: string, capturedUs: number | null): void {
    if (capturedUs === null) {
      this.refuse(feed, "no_time");
      return;
    }
    const ref = this.parts.newId();
    this.forgive(feed);
    if (this.parts.say({ type: "freeze", ref, feed, captured_us: Math.round(capturedUs) })) {
      this.asked.set(ref, feed);
    } else this.refuse(feed, "away");
  }

  /** Puts it away for everybody. */
  unfreeze(still: Still): void {
    this.latestAsked = still.feed;
    if (!this.parts.say({ type: "unfreeze", still_id: still.still_id })) this.refuse(still.feed, "away");
  }

  /** For this person alone; null: the live picture. */
  choose(feed: string, stillId: string | null): void {
    this.set({ chosen: new Map(this.store.get().chosen).set(feed, stillId) });
  }

  /** Says why something was not done. */
  refuse(feed: string, code: string): void {
    this.set({ problems: new Map(this.store.get().problems).set(feed, code) });
    this.parts.later(() => {
      if (this.store.get().problems.get(feed) === code) this.forgive(feed);
    }, PROBLEM_SHOWN_MS);
  }

  received(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        this.asked.clear();
        this.welcomed(message.stills);
        break;
      case "frozen":
        this.asked.delete(message.still.ref);
        this.put(message.still);
        if (message.still.state === "ready") this.choose(message.still.feed, message.still.still_id);
        break;
      case "still_changed":
        this.changed(message.still);
        break;
      case "unfrozen":
        this.gone(message.feed, message.still_id);
        break;
      case "error":
        this.failed(message.about, message.code, message.ref);
        break;
      default:
    }
  }

  private welcomed(stills: readonly Still[]): void {
    const chosen = new Map(this.store.get().chosen);
    const ids = new Set(stills.map(({ still_id }) => still_id));
    for (const [feed, id] of chosen) if (id !== null && !ids.has(id)) chosen.delete(feed);
    for (const { feed, still_id, state } of stills) {
      const known = this.store.get().stills.some((one) => one.still_id === still_id);
      if (state === "ready" && !known) chosen.set(feed, still_id);
    }
    this.set({ stills, chosen });
  }

  private changed(still: Still): void {
    if (still.state === "failed") {
      this.gone(still.feed, still.still_id);
      this.refuse(still.feed, still.problem);
      return;
    }
    this.put(still);
    if (still.state === "ready") this.choose(still.feed, still.still_id);
  }

  private put(still: Still): void {
    const { stills } = this.store.get();
    const others = stills.filter(({ still_id }) => still_id !== still.still_id);
    this.set({ stills: [...others, still].sort((a, b) => a.at_us - b.at_us) });
  }

  private gone(feed: string, stillId: string): void {
    const { stills, chosen } = this.store.get();
    const left = stills.filter(({ still_id }) => still_id !== stillId);
    this.set({ stills: left });
    if (chosen.get(feed) === stillId) this.choose(feed, null);
  }

  private failed(about: string | null, code: string, ref: string | null): void {
    if (about === "freeze") {
      const feed = this.asked.get(ref ?? "");
      this.asked.delete(ref ?? "");
      if (feed !== undefined) this.refuse(feed, code);
    } else if (about === "unfreeze" && this.latestAsked !== null) this.refuse(this.latestAsked, code);
  }

  private forgive(feed: string): void {
    const problems = new Map(this.store.get().problems);
    if (problems.delete(feed)) this.set({ problems });
  }

  private set(change: Partial<Freezes>): void {
    this.store.set({ ...this.store.get(), ...change });
  }
}

/** Of one feed, oldest first, those whose picture is there. Pure. */
export const stillsOf = ({ stills }: Freezes, feed: string): readonly Still[] =>
  stills.filter((still) => still.feed === feed && still.state === "ready");

/** What this person looks at instead of the live picture. Pure. */
export function shownStill(freezes: Freezes, feed: string): Still | null {
  const id = freezes.chosen.get(feed) ?? null;
  return stillsOf(freezes, feed).find(({ still_id }) => still_id === id) ?? null;
}
