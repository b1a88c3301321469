import type { Dictionary } from "../i18n/en";
import type { Language } from "../i18n/language";

/** Unix microseconds as a time of day, with the date unless it is today's. */
export function clockTime(atUs: number, language: Language, nowMs: number): string {
  const at = new Date(atUs / 1000);
  const today = at.toDateString() === new Date(nowMs).toDateString();
  return at.toLocaleString(
    language,
    today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" },
  );
}

/** How long, in the unit a person would say. */
export function duration(fromUs: number, toUs: number, time: Dictionary["time"]): string {
  const minutes = Math.max(0, Math.floor((toUs - fromUs) / 60_000_000));
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return time.minutes(minutes);
  if (hours < 10) return `${time.hours(hours)} ${time.minutes(minutes % 60)}`;
  return hours < 48 ? time.hours(hours) : time.days(Math.floor(hours / 24));
}
