import type { Bytes } from "../../replay/format/bytes";
import { nodeHash } from "../../replay/format/merkle";

/** A Merkle tree whose leaves are all here, to prove what the log's service proves elsewhere (RFC 6962 §2.1). */
export class Tree {
  private constructor(
    /** Hashes of complete subtrees: of single leaves, of two, of four, … */
    private readonly levels: readonly (readonly Bytes[])[],
    readonly size: number,
  ) {}

  static async of(leafHashes: readonly Bytes[]): Promise<Tree> {
    const levels: (readonly Bytes[])[] = [leafHashes];
    for (let below = leafHashes; below.length > 1; below = levels.at(-1) ?? []) {
      levels.push(await pairs(below));
    }
    return new Tree(levels, leafHashes.length);
  }

  /** That leaf `index` is in the tree of the first `size` leaves (§2.1.1). */
  async inclusion(index: number, size: number): Promise<Bytes[]> {
    const proof: Bytes[] = [];
    let [begin, left] = [0, size];
    const above: { begin: number; size: number }[] = [];
    while (left > 1) {
      const split = largestPowerBelow(left);
      const goesLeft = index < begin + split;
      above.push(goesLeft ? { begin: begin + split, size: left - split } : { begin, size: split });
      if (!goesLeft) begin += split;
      left = goesLeft ? split : left - split;
    }
    for (const other of above.reverse()) proof.push(await this.root(other.begin, other.size));
    return proof;
  }

  /** Of the leaves from `begin` on; `begin` is a multiple of the power of two at or above `size`. */
  async root(begin: number, size: number): Promise<Bytes> {
    const level = Math.log2(size);
    if (Number.isInteger(level)) return this.complete(level, begin / size);
    const split = largestPowerBelow(size);
    return nodeHash(await this.root(begin, split), await this.root(begin + split, size - split));
  }

  private complete(level: number, index: number): Bytes {
    const found = this.levels[level]?.[index];
    if (found === undefined) throw new RangeError("there is no such subtree");
    return found;
  }
}

/** RFC 6962's k: the largest power of two smaller than `size`. */
function largestPowerBelow(size: number): number {
  let power = 1;
  while (2 * power < size) power *= 2;
  return power;
}

const AT_ONCE = 1024;

/** Each two beside each other; the last of an odd number waits for another one. */
async function pairs(below: readonly Bytes[]): Promise<Bytes[]> {
  const made: Bytes[] = [];
  for (let begin = 0; begin + 1 < below.length; begin += 2 * AT_ONCE) {
    const some = below.slice(begin, begin + 2 * AT_ONCE);
    const hashes = some.flatMap((left, index) => {
      const right = index % 2 === 0 ? some[index + 1] : undefined;
      return right === undefined ? [] : [nodeHash(left, right)];
    });
    made.push(...(await Promise.all(hashes)));
  }
  return made;
}
