import type { ArchiveHead } from "../protocol/messages";

type Storage = Pick<globalThis.Storage, "getItem" | "setItem">;

export const KEPT_HEADS_KEY = "teleconsult.heads";
/** Consultations of which the newest head is kept: about 1.5 kB each. */
export const MAX_KEPT = 100;

/**
 * Keeps what the server says of archives, so that this browser's owner can show later that something is missing:
 * the newest line of each consultation, newest last. The stored text is a witness file as it is
 * (docs/archive-format.md, "Heads"); a head vouches for everything before it, so older ones are not needed.
 */
export class KeptHeads {
  constructor(private readonly storage: () => Storage) {}

  keep(told: ArchiveHead): void {
    const { head, checkpoint, at_us } = told;
    const name = head?.consultation ?? "";
    const lines = this.lines().filter((line) => consultationOf(line) !== name);
    lines.push(JSON.stringify({ head: head ?? null, checkpoint, at_us }));
    try {
      this.storage().setItem(KEPT_HEADS_KEY, lines.slice(-MAX_KEPT).join("\n") + "\n");
    } catch {
      // No space, or not allowed here: the call matters more.
    }
  }

  private lines(): string[] {
    try {
      const text = this.storage().getItem(KEPT_HEADS_KEY) ?? "";
      return text.split("\n").filter((line) => consultationOf(line) !== null);
    } catch {
      return [];
    }
  }
}

/** What is kept, as the lines of a witness file; "" when there is nothing, or it may not be read. */
export function keptHeadsText(storage: () => Pick<Storage, "getItem">): string {
  try {
    const text = storage().getItem(KEPT_HEADS_KEY) ?? "";
    const lines = text.split("\n").filter((line) => consultationOf(line) !== null);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  } catch {
    return "";
  }
}

/** Says when: what was seen later is in a later file. */
export const headsFileName = (now: Date) =>
  `archive-heads-${now.toISOString().slice(0, 19).replace(/[:T]/g, "-")}.json`;

/** "" for a checkpoint without a head; null for what is no such line. */
function consultationOf(line: string): string | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("head" in value)) return null;
    const { head } = value;
    if (head === null) return "";
    if (typeof head !== "object" || !("consultation" in head)) return null;
    return typeof head.consultation === "string" ? head.consultation : null;
  } catch {
    return null;
  }
}
