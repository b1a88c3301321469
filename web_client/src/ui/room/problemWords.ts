import { ApiError } from "../../api/http";
import type { Dictionary } from "../../i18n/en";

/** Why something did not work, in the reader's language as far as its code is known here. Pure. */
export function problemWords(error: unknown, { panels }: Pick<Dictionary, "panels">): string {
  return error instanceof ApiError ? codeWords(error.code, error.detail, panels) : String(error);
}

/** `detail`: what the service says about it, in English. Pure. */
export function codeWords(
  code: string,
  detail: string,
  { problemCodes, otherProblem }: Pick<Dictionary["panels"], "problemCodes" | "otherProblem">,
): string {
  const known: Readonly<Partial<Record<string, string>>> = problemCodes;
  return known[code] ?? (detail === "" ? code : otherProblem(code, detail));
}
