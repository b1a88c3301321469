import { createContext, use, useEffect, useSyncExternalStore, type ReactNode } from "react";
import type { Dictionary } from "./en";
import { DICTIONARIES, LanguageChoice, type Language } from "./language";

const Choice = createContext<LanguageChoice | null>(null);

export function TextProvider({ choice, children }: { choice: LanguageChoice; children: ReactNode }) {
  const language = useSyncExternalStore(choice.store.subscribe, choice.store.get);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return <Choice value={choice}>{children}</Choice>;
}

export interface Texts {
  text: Dictionary;
  language: Language;
  toggleLanguage: () => void;
  setLanguage: (language: Language) => void;
}

export function useText(): Texts {
  const choice = use(Choice);
  if (choice === null) throw new Error("useText outside TextProvider");
  const language = useSyncExternalStore(choice.store.subscribe, choice.store.get);
  return {
    text: DICTIONARIES[language],
    language,
    toggleLanguage: () => {
      choice.toggle();
    },
    setLanguage: (chosen) => {
      choice.choose(chosen);
    },
  };
}
