import { splitLines, type Bytes } from "../../replay/format/bytes";

const BLOCK_BYTES = 4 * 1024 * 1024;

/** The whole lines of a file with their newlines, some at a time: a log may be larger than memory likes. */
export async function* linesOf(file: Blob): AsyncGenerator<Bytes[]> {
  let left: Bytes = new Uint8Array();
  for (let begin = 0; begin < file.size; begin += BLOCK_BYTES) {
    const block = new Uint8Array(await file.slice(begin, begin + BLOCK_BYTES).arrayBuffer());
    const { lines, rest } = splitLines(joined(left, block));
    left = rest;
    yield lines;
  }
}

function joined(before: Bytes, after: Bytes): Bytes {
  if (before.length === 0) return after;
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}
