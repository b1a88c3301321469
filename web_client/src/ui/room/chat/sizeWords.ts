import type { Dictionary } from "../../../i18n/en";

/** A size a person can judge, in the units that file managers use. Pure. */
export function sizeWords(bytes: number, { panels }: Pick<Dictionary, "panels">): string {
  const { size } = panels.chat;
  if (bytes < 1_000) return size.bytes(String(bytes));
  if (bytes < 999_500) return size.kilobytes(String(Math.round(bytes / 1_000)));
  return size.megabytes((bytes / 1_000_000).toFixed(1));
}
