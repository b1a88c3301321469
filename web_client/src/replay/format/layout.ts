/** Where things lie in a consultation's folder (docs/archive-format.md, "Folder"). */

export type Container = "mp4" | "webm";

const SUFFIX: Record<Container, string> = { mp4: "m4s", webm: "webm" };
const OBJECT =
  /^(?:tracks\/[a-z0-9][a-z0-9_-]{0,95}\/\d{3,6}\/(?:init\.(?:mp4|webm)|\d{6,9}\.(?:m4s|webm))|events\/\d{6,9}\.jsonl|files\/\d{6,9})\.age$/;

const padded = (value: number, digits: number) => String(value).padStart(digits, "0");

export const initPath = (track: string, generation: number, container: Container) =>
  `tracks/${track}/${padded(generation, 3)}/init.${container}.age`;

/** Pieces count from 1. */
export const piecePath = (track: string, generation: number, number: number, container: Container) =>
  `tracks/${track}/${padded(generation, 3)}/${padded(number, 6)}.${SUFFIX[container]}.age`;

/** Counts from 1. */
export const eventsPath = (number: number) => `events/${padded(number, 6)}.jsonl.age`;

/** Files of the chat; counts from 1. */
export const filePath = (number: number) => `files/${padded(number, 6)}.age`;

export const isObjectPath = (path: string) => OBJECT.test(path);
