import { createContext } from "react";
import { useText } from "../i18n/useText";
import { drawingEn, drawingZh } from "../i18n/words/drawing";
import type { DrawingDesk } from "./desk";

/** The drawings of this stay; null outside a room. */
export const DrawingContext = createContext<DrawingDesk | null>(null);

export function useDrawingWords(): typeof drawingEn {
  return useText().language === "en" ? drawingEn : drawingZh;
}
