import { useText } from "../i18n/useText";
import { REPLAY_WORDS, type ReplayWords } from "../i18n/words/replay";

/** The replay's own words come with its part of the bundle: nobody else loads them. */
export function useReplayText(): ReplayWords {
  return REPLAY_WORDS[useText().language];
}
