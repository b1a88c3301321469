"""The log's files: leaves that are only ever appended, each durable before anybody hears of it.

One writer at a time (an advisory lock). A crash leaves whole lines and at most part of one, which the next
start cuts off; leaves without a checkpoint then get one. Memory stays small however long the log is: the
right edge of the tree, and the place of every 64th line. All other hashes are in a file made anew at every
start. Not thread-safe.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from archive import merkle, store
from archive.chain import SigningKey
from archive.checkpoint import Checkpoint, Note, NoteSignature, VerifierKey, sign_checkpoint
from archive.log_entries import KeyLeaf, Leaf, make_leaf, parse_leaf, spell_leaf
from archive.log_keyring import Rotation, rotation_of
from archive.log_records import (
    CHECKPOINTS,
    ENTRIES,
    HASHES,
    CheckpointRecord,
    CosignatureRecord,
    Record,
    TimestampRecord,
    parse_record,
    spell_record,
)
from core.errors import ProtocolError, TeleconsultError

STRIDE: Final = 64
"""Every 64th line's place is kept in memory."""
MAX_READ: Final = 1000
"""Leaves in one answer."""


class LogDamaged(TeleconsultError):
    """The files are not what this log signed: it must not go on."""

    code = "log_damaged"


class LogStore:
    """Make one with `open`."""

    def __init__(self, folder: Path, origin: str, key: SigningKey, entries: store.ManifestFile) -> None:
        self.verifier = VerifierKey.of(origin, key.public)
        self.replaced = False
        """Its key signs one more checkpoint, and no leaf follows: it was replaced."""
        self.checkpoint: Note | None = None
        """The newest, as the log signed it."""
        self._folder = folder
        self._key = key
        self._entries = entries
        self._checkpoints: store.ManifestFile | None = None
        self._tree = merkle.CompactRange()
        self._hashes = _HashFile(folder / HASHES)
        self._places = array("Q")
        self._end_bytes = 0
        self._cosigned: dict[int, list[NoteSignature]] = {}
        self._signed_size = -1
        self._rotation: Rotation | None = None
        """The newest change of its key."""

    @classmethod
    def open(
        cls,
        folder: Path,
        origin: str,
        key: SigningKey,
        seen: Callable[[Leaf], None] = lambda leaf: None,
        *,
        finishing: bool = False,
    ) -> Self:
        """Begin or continue the log; `seen` gets every leaf there is. `finishing`: `key` may be one that was
        just replaced (`replaced`), for who finishes that.

        Raises `Conflict` when another process writes it, `LogDamaged`, `ProtocolError` for a bad origin,
        `OSError`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in (ENTRIES, CHECKPOINTS):
            if not (folder / name).exists():
                store.write_whole(folder / name, b"")
        entries = store.ManifestFile(folder / ENTRIES)
        try:
            log = cls(folder, origin, key, entries)
        except BaseException:
            entries.close()
            raise
        try:
            log._load(seen)
            if log.replaced and not finishing:
                raise LogDamaged("its key is being replaced: do `teleconsult admin log rotate-key` again")
        except BaseException:
            log.close()
            raise
        return log

    @property
    def size(self) -> int:
        """Leaves that are on the disk."""
        return self._tree.size

    @property
    def present(self) -> Checkpoint:
        """The tree as it is now, signed or not."""
        return Checkpoint(self.verifier.name, self.size, self._tree.root())

    @property
    def signed_size(self) -> int:
        """How many leaves the newest checkpoint covers; −1 before the first."""
        return self._signed_size

    def append(self, leaves: Sequence[Leaf]) -> int:
        """Durable when it returns: the first one's index. Raises `OSError`: then none of them is in the
        log.
        """
        if self.replaced:
            raise LogDamaged("its key was replaced: nothing more can be written with the old one")
        lines = [spell_leaf(leaf) + b"\n" for leaf in leaves]
        self._entries.append(b"".join(lines))
        first = self.size
        for line in lines:
            self._count(line)
        return first

    def publish(self) -> Note:
        """Sign the present tree, durably, unless that was done. Raises `OSError`: then do it later."""
        if self.checkpoint is None or self._signed_size != self.size:
            note = sign_checkpoint(self.present, self._key)
            self._record(CheckpointRecord(kind="checkpoint", note=note.spell()))
            self.checkpoint, self._signed_size, self._cosigned = note, self.size, {}
        return self.checkpoint

    def replace_key(self, key: VerifierKey, at_us: int) -> None:
        """Say, with the old key, which one comes after it; durable when it returns. Raises `OSError`."""
        fields = {"kind": "key", "at_us": at_us, "key": key.text, "replaces": self.verifier.text}
        leaf = make_leaf(fields)
        assert isinstance(leaf, KeyLeaf)
        rotation = rotation_of(leaf, self.size)
        self.append([leaf])
        self._rotation, self.replaced = rotation, True
        self.publish()

    def published(self) -> str:
        """The newest checkpoint with all cosignatures of it."""
        note = self.publish()
        return Note(note.text, (*note.signatures, *self._cosigned.get(self._signed_size, ()))).spell()

    def add_cosignature(self, checkpoint: Checkpoint, signature: NoteSignature) -> None:
        """Keep a witness's line, checked before, for what this log is. Raises `ProtocolError`, `OSError`."""
        if checkpoint.origin != self.verifier.name or checkpoint.size > self.size:
            raise ProtocolError("this log has signed no such checkpoint", code="checkpoint_unknown")
        if merkle.root_at(checkpoint.size, self._hashes.read) != checkpoint.root:
            raise ProtocolError("this log has signed no such checkpoint", code="checkpoint_unknown")
        self._record(CosignatureRecord(kind="cosignature", size=checkpoint.size, line=signature.line))
        self._keep_cosignature(checkpoint.size, signature)

    def add_timestamp(self, size: int, token: str) -> None:
        """Keep a time stamp of a checkpoint's text. Raises `OSError`."""
        self._record(TimestampRecord(kind="timestamp", size=size, token=token))

    def read(self, begin: int, end: int) -> list[bytes]:
        """Leaves [begin, end), at most `MAX_READ` of them, without newlines. Raises `OSError`."""
        end = min(end, begin + MAX_READ, self.size)
        if not 0 <= begin < end:
            return []
        with (self._folder / ENTRIES).open("rb") as file:
            file.seek(self._places[begin // STRIDE])
            for _ in range(begin % STRIDE):
                file.readline()
            return [file.readline()[:-1] for _ in range(begin, end)]

    def leaf_hashes(self, begin: int, end: int) -> list[bytes]:
        """Of leaves [begin, end). Raises `OSError`."""
        return [self._hashes.read(0, index) for index in range(begin, min(end, self.size))]

    def root_at(self, size: int) -> bytes:
        """Of the first `size` leaves. Raises `ValueError` for more than there are, `OSError`."""
        self._check_size(size)
        return merkle.root_at(size, self._hashes.read)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Raises `ValueError`, `OSError`."""
        self._check_size(size)
        return merkle.inclusion_proof(index, size, self._hashes.read)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Raises `ValueError`, `OSError`."""
        self._check_size(second)
        return merkle.consistency_proof(first, second, self._hashes.read)

    def close(self) -> None:
        """Let go of the files and the lock."""
        self._hashes.close()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._entries.close()

    # --- inside --------------------------------------------------------------------------

    def _load(self, seen: Callable[[Leaf], None]) -> None:
        for line in self._entries.lines():
            if line.endswith(b"\n"):
                leaf = self._readable(line)
                if isinstance(leaf, KeyLeaf):
                    self._rotation = rotation_of(leaf, self.size)
                seen(leaf)
                self._count(line)
        self._check_key()
        self._entries.cut(self._end_bytes)
        self._checkpoints = store.ManifestFile(self._folder / CHECKPOINTS)
        newest, cosignatures, good_bytes = self._read_records(self._checkpoints.lines())
        self._checkpoints.cut(good_bytes)
        if newest is not None:
            self._take_up(Note.parse(newest.note))
        for record in cosignatures:
            self._keep_cosignature(record.size, NoteSignature.parse(record.line[:-1]))
        self.publish()

    def _readable(self, line: bytes) -> Leaf:
        try:
            return parse_leaf(line[:-1])
        except ProtocolError as error:
            raise LogDamaged(f"{ENTRIES}, leaf {self.size}: {error}") from None

    def _read_records(
        self, lines: Iterator[bytes]
    ) -> tuple[CheckpointRecord | None, list[CosignatureRecord], int]:
        """The newest checkpoint, the cosignatures after it, and where whole lines end."""
        newest: CheckpointRecord | None = None
        cosignatures: list[CosignatureRecord] = []
        good_bytes = 0
        for line in lines:
            if not line.endswith(b"\n"):
                break
            good_bytes += len(line)
            try:
                record = parse_record(line[:-1])
            except ProtocolError as error:
                raise LogDamaged(f"{CHECKPOINTS}: {error}") from None
            if isinstance(record, CheckpointRecord):
                newest, cosignatures = record, []
            elif isinstance(record, CosignatureRecord):
                cosignatures.append(record)
        return newest, cosignatures, good_bytes

    def _take_up(self, note: Note) -> None:
        """Go on from what was signed last. Raises `LogDamaged` when the leaves are not those."""
        try:
            checkpoint = Checkpoint.parse(note.text)
            signed = note.signed_by([self._key_at(checkpoint.size)])
        except ProtocolError as error:
            raise LogDamaged(f"{CHECKPOINTS}: the newest checkpoint: {error}") from None
        if signed is None or checkpoint.origin != self.verifier.name:
            raise LogDamaged(
                f"{CHECKPOINTS}: the newest checkpoint is not this log's: another log_key_file or log_origin?"
            )
        if checkpoint.size > self.size:
            raise LogDamaged(
                f"{ENTRIES}: holds {self.size} leaves, {checkpoint.size} were signed: it was cut"
            )
        if self.root_at(checkpoint.size) != checkpoint.root:
            raise LogDamaged(f"{ENTRIES}: its leaves are not those that were signed")
        self.checkpoint, self._signed_size = note, checkpoint.size

    def _key_at(self, size: int) -> VerifierKey:
        if self._rotation is not None and size <= self._rotation.size:
            return self._rotation.old
        return self.verifier

    def _check_key(self) -> None:
        """A key that was replaced may do nothing but sign that it was. Raises `LogDamaged`."""
        rotation = self._rotation
        if rotation is None or rotation.new == self.verifier:
            return
        self.replaced = rotation.old == self.verifier and rotation.size == self.size
        if not self.replaced:
            raise LogDamaged("log_key_file is not the key that the log names as its newest")

    def _count(self, line: bytes) -> None:
        if self.size % STRIDE == 0:
            self._places.append(self._end_bytes)
        self._end_bytes += len(line)
        hashed = merkle.leaf_hash(line[:-1])
        self._hashes.write([hashed, *self._tree.append(hashed)])

    def _record(self, record: Record) -> None:
        assert self._checkpoints is not None
        self._checkpoints.append(spell_record(record))

    def _keep_cosignature(self, size: int, signature: NoteSignature) -> None:
        if size == self._signed_size:
            self._cosigned.setdefault(size, []).append(signature)

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise ValueError("the log has not that many leaves")


class _HashFile:
    """All complete subtrees in the order in which they are completed. What the disk refuses waits in
    memory.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._written_bytes = 0
        self._waiting = bytearray()

    def write(self, hashes: Sequence[bytes]) -> None:
        for hashed in hashes:
            self._waiting += hashed
        if len(self._waiting) >= store.HASH_BLOCK_BYTES // 8:
            with contextlib.suppress(OSError):
                self._flush()

    def read(self, level: int, index: int) -> bytes:
        """Raises `OSError`."""
        self._flush()
        place = merkle.stored_index(level, index) * merkle.HASH_BYTES
        found = os.pread(self._file, merkle.HASH_BYTES, place)
        if len(found) != merkle.HASH_BYTES:
            raise OSError(f"{HASHES} is shorter than it was")
        return found

    def close(self) -> None:
        os.close(self._file)

    def _flush(self) -> None:
        while self._waiting:
            count = os.pwrite(self._file, self._waiting, self._written_bytes)
            self._written_bytes += count
            del self._waiting[:count]
