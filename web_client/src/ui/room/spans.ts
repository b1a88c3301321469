import type { Dictionary } from "../../i18n/en";

/** `8 s`, `3 min`: how long ago something was. */
export function spanWords(seconds: number, text: Dictionary): string {
  return seconds < 120 ? text.time.seconds(seconds) : text.time.minutes(Math.floor(seconds / 60));
}

/** `00:12:41`. Negative (clocks that disagree) counts as zero. */
export function elapsedWords(totalSeconds: number): string {
  const seconds = Math.max(0, Math.floor(totalSeconds));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
