import { isObjectPath } from "../../replay/format/layout";
import type { Files } from "./files";

/** A consultation among the files that were chosen. */
export interface Place {
  /** Its folder's path, with `/` at the end. */
  prefix: string;
  /** Its folder's name; in an archive that is the consultation's id. */
  name: string;
}

const OWN = /^(.*\/)(?:manifest\.jsonl|closed\.json|session\.key\.age)$/;
const BELOW = /^(.*\/)((?:tracks|events|files)\/.*)$/;

/**
 * Every folder that holds part of an archived consultation, by name: the folder itself, the archive's root or what it
 * lies in may have been chosen. One whose manifest was removed is found, too.
 */
export function findConsultations(files: Files): Place[] {
  const prefixes = new Set<string>();
  for (const path of files.keys()) {
    const prefix = prefixOf(path);
    if (prefix !== null && !isBeingMade(prefix)) prefixes.add(prefix);
  }
  const places = Array.from(prefixes, (prefix) => ({ prefix, name: prefix.split("/").at(-2) ?? "" }));
  return places.sort((one, other) => (one.prefix < other.prefix ? -1 : 1));
}

function prefixOf(path: string): string | null {
  const own = OWN.exec(path)?.[1];
  if (own !== undefined) return own;
  const [, prefix, object] = BELOW.exec(path) ?? [];
  return prefix !== undefined && object !== undefined && isObjectPath(object) ? prefix : null;
}

/** `.new-<consultation>`: readers ignore it. */
const isBeingMade = (prefix: string) => prefix.split("/").some((part) => part.startsWith(".new-"));
