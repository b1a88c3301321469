import { sameBytes, type Bytes } from "./bytes";

/** Merkle trees as RFC 6962 hashes them: proofs that a leaf is in a log, and that a log only grew. */

export async function leafHash(leaf: Bytes): Promise<Bytes> {
  return hash(new Uint8Array([0]), leaf);
}

export const nodeHash = (left: Bytes, right: Bytes) => hash(new Uint8Array([1]), left, right);

async function hash(...parts: Bytes[]): Promise<Bytes> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

const isOdd = (value: number) => value % 2 === 1;
const half = (value: number) => Math.floor(value / 2);

/** A place in the tree on the way to its root: sizes may be above 2³¹, so no bit operators. */
interface Place {
  position: number;
  last: number;
}

const up = ({ position, last }: Place): Place => ({ position: half(position), last: half(last) });

/** Levels where the right edge has no sibling are skipped. */
function pastRightEdge(place: Place): Place {
  let at = place;
  while (at.position !== 0 && !isOdd(at.position)) at = up(at);
  return at;
}

/** True when `proof` shows that `hashed` is leaf `index` of the tree of that size and root (RFC 9162 §2.1.3.2). */
export async function verifyInclusion(
  hashed: Bytes,
  index: number,
  size: number,
  proof: readonly Bytes[],
  root: Bytes,
): Promise<boolean> {
  if (!(index >= 0 && index < size)) return false;
  let place: Place = { position: index, last: size - 1 };
  let node = hashed;
  for (const sibling of proof) {
    if (place.last === 0) return false;
    if (isOdd(place.position) || place.position === place.last) {
      node = await nodeHash(sibling, node);
      place = pastRightEdge(place);
    } else node = await nodeHash(node, sibling);
    place = up(place);
  }
  return place.last === 0 && sameBytes(node, root);
}

/** True when `proof` shows that the first tree is the beginning of the second (RFC 9162 §2.1.4.2). */
export async function verifyConsistency(
  first: number,
  second: number,
  firstRoot: Bytes,
  secondRoot: Bytes,
  proof: readonly Bytes[],
): Promise<boolean> {
  if (!(first >= 0 && first <= second)) return false;
  if (first === second) return proof.length === 0 && sameBytes(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0 && sameBytes(firstRoot, await hash());
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : [...proof];
  let place: Place = { position: first - 1, last: second - 1 };
  while (isOdd(place.position)) place = up(place);
  const begin = path.shift();
  if (begin === undefined) return false;
  let [older, newer] = [begin, begin];
  for (const sibling of path) {
    if (place.last === 0) return false;
    if (isOdd(place.position) || place.position === place.last) {
      older = await nodeHash(sibling, older);
      newer = await nodeHash(sibling, newer);
      place = pastRightEdge(place);
    } else newer = await nodeHash(newer, sibling);
    place = up(place);
  }
  return place.last === 0 && sameBytes(older, firstRoot) && sameBytes(newer, secondRoot);
}

function isPowerOfTwo(value: number): boolean {
  let left = value;
  while (left > 1 && !isOdd(left)) left = half(left);
  return left === 1;
}
