import type { Language } from "../language";
import { replayEn, type ReplayWords } from "./replayEn";
import { replayZh } from "./replayZh";

/** Every word of the auditor's replay. It comes with that page only, so it is no part of the dictionary. */
export const REPLAY_WORDS: Record<Language, ReplayWords> = { en: replayEn, "zh-CN": replayZh };

export type { ReplayWords };
