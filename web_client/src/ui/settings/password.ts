import type { ApiError } from "../../api/http";

/** As `core/passwords.py`. */
export const MIN_CHARS = 8;

export type PasswordTrouble =
  "missing" | "short" | "same" | "different" | "wrong" | "weak" | "throttled" | "unreachable";

/** What can be said before the server is asked. */
export function checkPassword(old: string, fresh: string, repeated: string): PasswordTrouble | null {
  if (old === "" || fresh === "") return "missing";
  if (Array.from(fresh).length < MIN_CHARS) return "short";
  if (fresh === old) return "same";
  return fresh === repeated ? null : "different";
}

/** What the server's refusal is about. */
export function troubleOf(error: ApiError): PasswordTrouble {
  if (error.code === "wrong_credentials") return "wrong";
  if (error.status === 429) return "throttled";
  if (error.code === "same_password") return "same";
  return error.isTemporary ? "unreachable" : "weak";
}
