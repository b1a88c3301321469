import { merged } from "./arrangement";

type Storage = Pick<globalThis.Storage, "getItem" | "setItem">;

/** The newest places are kept; a person does not arrange more. */
const MOST_PLACES = 100;
const LONGEST_PLACE_CHARS = 110;

/** How one person arranged their pictures, by feed, in this browser. Without storage it lasts as long as the page. */
export class RememberedArrangement {
  private readonly key: string;

  constructor(
    private readonly storage: Storage,
    person: string,
  ) {
    this.key = `teleconsult.arrangement.${person}`;
  }

  /** Empty when nothing, or nothing readable, is remembered. */
  read(): readonly string[] {
    try {
      const value: unknown = JSON.parse(this.storage.getItem(this.key) ?? "[]");
      if (!Array.isArray(value)) return [];
      return value.filter(isPlace).slice(0, MOST_PLACES);
    } catch {
      return [];
    }
  }

  /** Keeps the new order; feeds that are not here now keep their neighbours. Returns what is remembered. */
  write(order: readonly string[]): readonly string[] {
    const places = merged(order, this.read()).slice(0, MOST_PLACES);
    try {
      this.storage.setItem(this.key, JSON.stringify(places));
    } catch {
      // Storage full or forbidden: the arrangement still holds until the page is left.
    }
    return places;
  }
}

const isPlace = (value: unknown): value is string =>
  typeof value === "string" && value.length <= LONGEST_PLACE_CHARS;
