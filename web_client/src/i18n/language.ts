import { Store } from "../room/store";
import { en, type Dictionary } from "./en";
import { zh } from "./zh";

export type Language = "en" | "zh-CN";

export const DICTIONARIES: Record<Language, Dictionary> = { en, "zh-CN": zh };
/** Each in its own words, so that anyone finds the way out of a foreign one. */
export const LANGUAGE_NAMES: Record<Language, string> = { en: "English", "zh-CN": "中文" };

const KEY = "teleconsult.language";

/** The remembered choice, else what the browser prefers; anything Chinese is served Chinese. */
export function chooseLanguage(remembered: string | null, preferred: readonly string[]): Language {
  if (remembered === "en" || remembered === "zh-CN") return remembered;
  const first = preferred.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
  return /^zh/i.test(first) ? "zh-CN" : "en";
}

/** The language in use. Changing it is remembered in this browser. */
export class LanguageChoice {
  readonly store: Store<Language>;

  constructor(
    private readonly storage: Pick<Storage, "getItem" | "setItem">,
    preferred: readonly string[],
  ) {
    this.store = new Store(chooseLanguage(storage.getItem(KEY), preferred));
  }

  toggle(): void {
    this.choose(this.store.get() === "en" ? "zh-CN" : "en");
  }

  choose(language: Language): void {
    this.storage.setItem(KEY, language);
    this.store.set(language);
  }
}
