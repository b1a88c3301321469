/** What the server takes (docs/design.md); said here before anything is sent. */
export const FILE_MAX_BYTES = 50_000_000;
export const FILES_MAX = 8;
export const TEXT_MAX_CHARS = 4_000;
const NAME_MAX_CHARS = 200;

export type FileProblem = "too-large" | "empty" | "too-many";

export interface Checked {
  accepted: readonly File[];
  refused: readonly { name: string; problem: FileProblem }[];
}

/** Which of `files` may go with a message that has `already` files. Pure. */
export function checkFiles(files: readonly File[], already: number): Checked {
  const accepted: File[] = [];
  const refused: { name: string; problem: FileProblem }[] = [];
  for (const file of files) {
    const problem = problemOf(file, already + accepted.length);
    if (problem === null) accepted.push(file);
    else refused.push({ name: file.name, problem });
  }
  return { accepted, refused };
}

function problemOf(file: File, count: number): FileProblem | null {
  if (file.size > FILE_MAX_BYTES) return "too-large";
  if (file.size === 0) return "empty";
  return count >= FILES_MAX ? "too-many" : null;
}

/** As the server counts: characters, not the halves JavaScript counts. */
export function textLength(text: string): number {
  return Array.from(text).length;
}

/** A file's name as it is sent: never empty, never too long, its ending kept. */
export function sentName(name: string): string {
  const characters = Array.from(name.trim());
  if (characters.length === 0) return "file";
  if (characters.length <= NAME_MAX_CHARS) return characters.join("");
  const ending = /\.[^.]{1,10}$/.exec(name)?.[0] ?? "";
  return characters.slice(0, NAME_MAX_CHARS - ending.length).join("") + ending;
}

const PICTURES: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp"]);

/** The server looked into it: this may be shown as a picture. Everything else is only saved. */
export function isPicture(mediaType: string): boolean {
  return PICTURES.has(mediaType);
}
