import { useText } from "../i18n/useText";
import { COURTROOM_WORDS, type CourtroomWords } from "../i18n/words/courtroom";

export function useCourtroomText(): CourtroomWords {
  return COURTROOM_WORDS[useText().language];
}
