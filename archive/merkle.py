"""Pure: Merkle trees as RFC 6962 hashes them: roots, inclusion and consistency proofs, and their
verification.

Sizes and indices count leaves. A proof is a list of 32-byte hashes, in the order of RFC 6962 §2.1. `Hashes`
names every complete subtree by level and index, so that a proof reads O(log n) of them, wherever they are
kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""RFC 6962 §2.1: the root of the tree without leaves."""

Hashes = Callable[[int, int], bytes]
"""(level, index) → hash of the complete subtree over leaves [index · 2^level, (index + 1) · 2^level)."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def stored_index(level: int, index: int) -> int:
    """Where a complete subtree stands in the sequence in which appending leaves completes them: each leaf,
    then what `CompactRange.append` returns.
    """
    for _ in range(level):
        index = 2 * index + 1
    position = 0
    while index:
        position += index
        index >>= 1
    return position + level


class CompactRange:
    """The right edge of a growing tree: one hash per bit of its size, so that appending costs O(1) memory."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []
        """Complete subtrees from left (largest) to right."""

    def append(self, hashed: bytes) -> list[bytes]:
        """Add a leaf's hash; returns the hashes of the subtrees it completes, from level 1 upwards."""
        made = []
        size, node = self.size, hashed
        while size & 1:
            node = node_hash(self._edge.pop(), node)
            made.append(node)
            size >>= 1
        self._edge.append(node)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The tree's root at the present size."""
        return _fold(self._edge)


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over leaves given by their hashes."""
    tree = CompactRange()
    for hashed in leaf_hashes:
        tree.append(hashed)
    return tree.root()


def root_at(size: int, hashes: Hashes) -> bytes:
    """The root of the first `size` leaves, from stored subtrees."""
    return _subtree(0, size, hashes)


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """That leaf `index` is in the tree of `size` leaves (RFC 6962 §2.1.1). Raises `ValueError`."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of that size")
    return _path(index, 0, size, hashes)


def consistency_proof(first: int, second: int, hashes: Hashes) -> list[bytes]:
    """That the tree of `first` leaves is the beginning of that of `second` (RFC 6962 §2.1.2). Raises
    `ValueError`.

    Empty when there is nothing to prove: equal sizes, or an empty first tree.
    """
    if not 0 <= first <= second:
        raise ValueError("a tree grows: the first size is larger than the second")
    if first in (0, second):
        return []
    return _subproof(first, 0, second, True, hashes)


def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """True when `proof` shows that `hashed` is leaf `index` of the tree with this size and root (RFC 9162
    §2.1.3.2).
    """
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, hashed
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            position, last = _past_right_edge(position, last)
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """True when `proof` shows that the first tree is the beginning of the second (RFC 9162 §2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    return bool(path) and _grows(first, second, first_root, second_root, path)


def _grows(first: int, second: int, first_root: bytes, second_root: bytes, path: list[bytes]) -> bool:
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            position, last = _past_right_edge(position, last)
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _past_right_edge(position: int, last: int) -> tuple[int, int]:
    """Levels where the right edge has no sibling are skipped."""
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _fold(edge: Sequence[bytes]) -> bytes:
    if not edge:
        return EMPTY_ROOT
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = node_hash(left, node)
    return node


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 6962's k)."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(begin: int, size: int, hashes: Hashes) -> bytes:
    """MTH of leaves [begin, begin + size); `begin` is a multiple of the power of two at or above `size`."""
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return hashes(level, begin >> level)
    left = _split(size)
    return node_hash(_subtree(begin, left, hashes), _subtree(begin + left, size - left, hashes))


def _path(index: int, begin: int, size: int, hashes: Hashes) -> list[bytes]:
    if size == 1:
        return []
    left = _split(size)
    if index < left:
        return [*_path(index, begin, left, hashes), _subtree(begin + left, size - left, hashes)]
    return [*_path(index - left, begin + left, size - left, hashes), _subtree(begin, left, hashes)]


def _subproof(first: int, begin: int, size: int, whole: bool, hashes: Hashes) -> list[bytes]:
    if first == size:
        return [] if whole else [_subtree(begin, size, hashes)]
    left = _split(size)
    if first <= left:
        return [*_subproof(first, begin, left, whole, hashes), _subtree(begin + left, size - left, hashes)]
    return [
        *_subproof(first - left, begin + left, size - left, False, hashes),
        _subtree(begin, left, hashes),
    ]
