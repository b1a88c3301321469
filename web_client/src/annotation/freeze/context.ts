import { createContext } from "react";
import { useText } from "../../i18n/useText";
import { freezeEn, freezeZh } from "../../i18n/words/freeze";
import type { FreezeRoom } from "./freezeRoom";

/** What is frozen in this stay; null outside a room. */
export const FreezeContext = createContext<FreezeRoom | null>(null);

export function useFreezeWords(): typeof freezeEn {
  return useText().language === "en" ? freezeEn : freezeZh;
}
