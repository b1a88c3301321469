/** How times and sizes are written in the replay. */

const two = (value: number) => String(value).padStart(2, "0");

/** `0:03:07`, with thousandths `0:03:07.120`. */
export function timeText(us: number, thousandths = false): string {
  const ms = Math.max(0, Math.floor(us / 1000));
  const s = Math.floor(ms / 1000);
  const text = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return thousandths ? `${text}.${String(ms % 1000).padStart(3, "0")}` : text;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** As number and unit, decimal. */
export function sizeText(bytes: number, language: string): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toLocaleString(language, { maximumFractionDigits: digits })} ${UNITS[unit] ?? ""}`;
}

/** When a moment of the timeline was, by the service's clock, in this computer's time zone. */
export function wallTime(unixUs: number, language: string): string {
  return new Date(unixUs / 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

/** A key too long to read, as its ends. */
export const shortKey = (key: string) => (key.length > 24 ? `${key.slice(0, 14)}…${key.slice(-6)}` : key);
