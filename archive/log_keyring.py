"""Pure: whose signature a checkpoint of some size must bear, when the log's key was replaced on the way.

A `key` leaf says which key comes after which. The old key signs the checkpoint that ends with that leaf, the
new one everything longer. So one key of the chain is enough to trust: forwards, because the trusted key
signed its successor; backwards, because what the trusted key signed names its predecessor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archive.checkpoint import ED25519, Note, VerifierKey
from archive.log_entries import KeyLeaf, parse_leaf
from core.errors import ProtocolError

_KEY: bytes = b'"kind":"key"'


@dataclass(frozen=True, slots=True)
class Rotation:
    """`size`: of the last checkpoint that the old key signs; the leaf is its last one."""

    size: int
    old: VerifierKey
    new: VerifierKey


class Keyring:
    """`trusted`: keys that somebody vouches for."""

    def __init__(self, trusted: Sequence[VerifierKey], rotations: Iterable[Rotation] = ()) -> None:
        self.trusted = tuple(trusted)
        self.rotations = tuple(rotations)
        chain = [key for rotation in self.rotations for key in (rotation.old, rotation.new)]
        self._vouched = any(key in self.trusted for key in chain)

    def at(self, size: int) -> Sequence[VerifierKey]:
        """Keys that may have signed a checkpoint of `size` leaves; none of them, if there is none."""
        if not self.rotations:
            return self.trusted
        if not self._vouched:
            return ()
        for rotation in self.rotations:
            if size <= rotation.size:
                return (rotation.old,)
        return (self.rotations[-1].new,)

    @property
    def names(self) -> set[str]:
        """Of all of them."""
        chain = {key.name for rotation in self.rotations for key in (rotation.old, rotation.new)}
        return {key.name for key in self.trusted} | (chain if self._vouched else set())

    def signer(self, note: Note, size: int) -> VerifierKey | None:
        """Who signed it. Raises `ProtocolError` when the signature of a key that may have is wrong."""
        return note.signed_by(self.at(size))


def rotation_of(leaf: KeyLeaf, index: int) -> Rotation:
    """What a leaf says. Raises `ProtocolError`."""
    old, new = VerifierKey.parse(leaf.replaces), VerifierKey.parse(leaf.key)
    if old.kind != ED25519 or new.kind != ED25519 or old.name != new.name or old == new:
        raise ProtocolError("a log's key is replaced by another one under the same name")
    return Rotation(index + 1, old, new)


def find_rotations(lines: Iterable[bytes]) -> list[Rotation]:
    """Of all leaves, one a line, in order. What cannot be read is left to who reads everything; a leaf that
    does not continue the chain counts for nothing.
    """
    found: list[Rotation] = []
    for index, line in enumerate(lines):
        if _KEY not in line or not line.endswith(b"\n"):
            continue
        try:
            leaf = parse_leaf(line[:-1])
            if isinstance(leaf, KeyLeaf):
                rotation = rotation_of(leaf, index)
                if not found or found[-1].new == rotation.old:
                    found.append(rotation)
        except ProtocolError:
            continue
    return found
