import type { TokenStorage } from "../api/session";
import type { Opinion, Participant, ServerMessage, WriteOpinion } from "../protocol/messages";
import { personOf } from "./chatDesk";
import { textLength } from "./fileRules";
import { Store } from "./store";

/** As in `core/messages.py`. */
export const OPINION_MAX_CHARS = 20_000;
const KEY = "teleconsult.opinion";
/** The server takes a few at once; then it says so, and it goes on by itself. */
const AGAIN_MS = 3_000;

export type OpinionPhase = "writing" | "filing" | "refused";

export interface OpinionDraft {
  text: string;
  phase: OpinionPhase;
  /** Why the server did not take it; its code. */
  problem: string;
}

interface Kept {
  person: string;
  consultation: string;
  text: string;
  /** Of what was sent, so that it is filed once, however often it has to be said; empty: it was not. */
  ref: string;
}

interface Parts {
  tab: TokenStorage;
  newRef: () => string;
  later: (act: () => void, ms: number) => void;
  /** Returns false when the room is away: then it is said again on coming back. */
  say: (message: WriteOpinion) => boolean;
}

const EMPTY: OpinionDraft = { text: "", phase: "writing", problem: "" };

/**
 * What a specialist is writing. It stays in this tab over reloads, and what was sent is said again until the server has
 * it: an opinion is neither lost nor filed twice.
 */
export class OpinionDesk {
  readonly store = new Store<OpinionDraft>(EMPTY);
  private kept: Kept | null = null;

  constructor(private readonly parts: Parts) {}

  received(message: ServerMessage): void {
    if (message.type === "welcome") {
      this.joined(message.participant, message.consultation.consultation_id, message.opinions);
    } else if (message.type === "opinion_written") this.written(message.opinion);
    else if (message.type === "error" && message.about === "write_opinion") this.refused(message.code);
  }

  /** In the room as `me`. What this person began here is back; what was on its way is said again. */
  joined(me: Participant, consultation: string, opinions: readonly Opinion[]): void {
    const person = personOf(me);
    const known = this.kept;
    if (known?.person !== person || known.consultation !== consultation) {
      this.kept = this.read(person, consultation);
      const { text, ref } = this.kept;
      this.store.set({ text, phase: ref === "" ? "writing" : "filing", problem: "" });
    }
    for (const opinion of opinions) this.written(opinion);
    if (this.store.get().phase === "filing") this.send();
  }

  edit(text: string): void {
    if (this.kept === null || this.store.get().phase === "filing") return;
    this.kept = { ...this.kept, text, ref: "" };
    this.keep();
    this.store.set({ text, phase: "writing", problem: "" });
  }

  /** File it as it stands. */
  file(): void {
    const { text } = this.store.get();
    if (this.kept === null || !canFile(text)) return;
    this.kept = { ...this.kept, text, ref: this.parts.newRef() };
    this.keep();
    this.store.set({ text, phase: "filing", problem: "" });
    this.send();
  }

  /** Somebody filed one. */
  written(opinion: Opinion): void {
    const { kept } = this;
    if (kept === null || kept.ref === "" || opinion.ref !== kept.ref || opinion.person !== kept.person)
      return;
    this.parts.tab.removeItem(KEY);
    this.kept = { ...kept, text: "", ref: "" };
    this.store.set(EMPTY);
  }

  refused(code: string): void {
    if (this.kept === null || this.store.get().phase !== "filing") return;
    if (code === "too_fast" || code === "still_trying") {
      this.parts.later(() => {
        if (this.store.get().phase === "filing") this.send();
      }, AGAIN_MS);
      return;
    }
    this.kept = { ...this.kept, ref: "" };
    this.keep();
    this.store.set({ text: this.kept.text, phase: "refused", problem: code });
  }

  private send(): void {
    if (this.kept !== null)
      this.parts.say({ type: "write_opinion", ref: this.kept.ref, text: this.kept.text });
  }

  private keep(): void {
    if (this.kept === null) return;
    if (this.kept.text === "") this.parts.tab.removeItem(KEY);
    else this.parts.tab.setItem(KEY, JSON.stringify(this.kept));
  }

  private read(person: string, consultation: string): Kept {
    const found = parse(this.parts.tab.getItem(KEY));
    const own = found?.["person"] === person && found["consultation"] === consultation;
    const text = own && typeof found["text"] === "string" ? found["text"] : "";
    const ref = own && typeof found["ref"] === "string" ? found["ref"] : "";
    return { person, consultation, text, ref };
  }
}

/** In this tab. */
export function tabDesk(say: Parts["say"]): OpinionDesk {
  return new OpinionDesk({
    say,
    tab: window.sessionStorage,
    newRef: () => crypto.randomUUID(),
    later: (act, ms) => void setTimeout(act, ms),
  });
}

/** Pure. */
export function canFile(text: string): boolean {
  return text.trim() !== "" && textLength(text) <= OPINION_MAX_CHARS;
}

/** Whoever uses this tab next does not find what was written in it. */
export function clearOpinion(tab: TokenStorage): void {
  tab.removeItem(KEY);
}

function parse(text: string | null): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text ?? "null") as unknown;
    return typeof value === "object" ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
