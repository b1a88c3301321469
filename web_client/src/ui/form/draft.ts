import type { TokenStorage } from "../../api/session";
import { conceal } from "./masking";
import { cleanLine, EMPTY, SEXES, type Values } from "./values";

const KEY = "teleconsult.draft";

/**
 * What one person has filled in, kept in this tab over reloads and other pages; without the patient's name, and with
 * it masked wherever else it was written.
 */
export class Draft {
  constructor(
    private readonly tab: TokenStorage,
    private readonly userId: string,
  ) {}

  /** Null when there is none of this person's. */
  load(): Values | null {
    const stored = parse(this.tab.getItem(KEY));
    if (stored === null) return null;
    if (stored["user_id"] === this.userId) return readValues(stored["values"]);
    this.clear();
    return null;
  }

  save(values: Values): void {
    const name = cleanLine(values.name);
    const kept: Values = { ...values, name: "" };
    for (const field of ["examNumber", "specialty", "question", "recordReason"] as const) {
      kept[field] = conceal(values[field], name);
    }
    this.tab.setItem(KEY, JSON.stringify({ user_id: this.userId, values: kept }));
  }

  clear(): void {
    clearDraft(this.tab);
  }
}

/** Whoever uses this tab next does not find what was typed in it. */
export function clearDraft(tab: TokenStorage): void {
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

/** Only what has the right type; an older version may have written something else. */
function readValues(stored: unknown): Values {
  const from = typeof stored === "object" && stored !== null ? (stored as Record<string, unknown>) : {};
  const text = (key: keyof Values) => (typeof from[key] === "string" ? from[key] : "");
  const list = (key: keyof Values) =>
    Array.isArray(from[key]) ? from[key].filter((item) => typeof item === "string") : [];
  return {
    ...EMPTY,
    sex: SEXES.find((sex) => sex === from["sex"]) ?? "",
    age: text("age"),
    examNumber: text("examNumber"),
    specialty: text("specialty"),
    question: text("question"),
    devices: list("devices"),
    invited: list("invited"),
    consentConsult: from["consentConsult"] === true,
    consentRecord: from["consentRecord"] === true,
    record: from["record"] === true,
    recordReason: text("recordReason"),
    retentionClass: text("retentionClass"),
  };
}
