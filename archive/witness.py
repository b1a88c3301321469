"""Pure: cosignatures of checkpoints (c2sp.org/tlog-cosignature, version 1): a witness says when it saw
which log.

What it states: at that time, the largest consistent tree it has seen of the log of that origin has this
root. So a witness signs only what a consistency proof connects with what it signed before; `Witness` keeps
to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archive.chain import SigningKey
from archive.checkpoint import (
    COSIGNATURE,
    SIGNATURE_BYTES,
    Checkpoint,
    Note,
    NoteSignature,
    VerifierKey,
)
from archive.merkle import verify_consistency
from core.errors import Conflict, ProtocolError

HEADER: Final = "cosignature/v1"
TIME_BYTES: Final = 8
MAX_TIME_S: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A good one: who saw the checkpoint, and when (seconds since 1970 UTC)."""

    witness: str
    at_s: int


def message(text: str, at_s: int) -> bytes:
    """What is signed: header, time, and the checkpoint's whole text."""
    return f"{HEADER}\ntime {at_s}\n{text}".encode()


def cosign(text: str, name: str, key: SigningKey, at_s: int) -> NoteSignature:
    """The signature line of witness `name` for a checkpoint's text. Raises `ProtocolError` for a bad name."""
    if not 0 <= at_s <= MAX_TIME_S:
        raise ProtocolError("a cosignature's time is out of range")
    verifier = VerifierKey.of(name, key.public, COSIGNATURE)
    return NoteSignature(
        name, verifier.key_id, at_s.to_bytes(TIME_BYTES, "big") + key.sign(message(text, at_s))
    )


def check_cosignature(text: str, signature: NoteSignature, key: VerifierKey) -> Cosignature | None:
    """What a signature line of `key` says; None when it is wrong or not that key's."""
    if key.kind != COSIGNATURE or not signature.by(key):
        return None
    if len(signature.data) != TIME_BYTES + SIGNATURE_BYTES:
        return None
    at_s = int.from_bytes(signature.data[:TIME_BYTES], "big")
    if at_s > MAX_TIME_S or not key.accepts(message(text, at_s), signature.data[TIME_BYTES:]):
        return None
    return Cosignature(key.name, at_s)


def cosignatures(note: Note, keys: Sequence[VerifierKey]) -> list[Cosignature]:
    """The good ones among a note's signatures."""
    found = [check_cosignature(note.text, signature, key) for signature in note.signatures for key in keys]
    return [item for item in found if item is not None]


class Witness:
    """A witness of one log: cosigns what grows, and nothing that contradicts what it cosigned before."""

    def __init__(self, name: str, key: SigningKey, log: VerifierKey, seen: Checkpoint | None = None) -> None:
        """`seen`: what it cosigned last; keep it durably between runs."""
        self.verifier = VerifierKey.of(name, key.public, COSIGNATURE)
        self.seen = seen
        self._key = key
        self._log = log

    def cosign(self, note: Note, proof: Sequence[bytes], at_s: int) -> NoteSignature:
        """`proof`: of consistency with `seen`. Raises `ProtocolError` for another log's note, `Conflict`
        for a fork.
        """
        if note.signed_by([self._log]) is None:
            raise ProtocolError("the log has not signed this checkpoint")
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self._log.name:
            raise ProtocolError("this checkpoint is another log's")
        old = self.seen
        if old is not None and not verify_consistency(
            old.size, checkpoint.size, old.root, checkpoint.root, proof
        ):
            raise Conflict("the log does not continue what was seen before", code="log_forked")
        self.seen = checkpoint
        return cosign(note.text, self.verifier.name, self._key, at_s)
