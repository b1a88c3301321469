import type { Mark, Trust } from "../baked";
import type { Files } from "../folder/files";

/** Sent once, before anything is asked: what this worker is to read. The rest is the replay's own protocol. */
export interface Begin {
  op: "begin";
  files: Files;
  prefix: string;
  /** The consultation's folder's name. */
  name: string;
  trust: Trust;
  /** Where archives stood when the page was made. */
  marks: readonly Mark[];
}
