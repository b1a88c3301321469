"""Pure: reads a log from its first leaf to its last and says where it stops being what its key signed.

Every checkpoint ever signed is compared with the tree at its size, so that no proof of consistency is needed;
so are the checkpoints that witnesses kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archive import merkle
from archive.checkpoint import Checkpoint, Note, NoteSignature, VerifierKey
from archive.faults import Verdict
from archive.log_book import LogBook
from archive.log_entries import KeyLeaf, Leaf, parse_leaf
from archive.log_findings import LogProblem, LogReport
from archive.log_kept import Kept
from archive.log_keyring import Keyring, rotation_of
from archive.log_records import (
    CHECKPOINTS,
    ENTRIES,
    CheckpointRecord,
    CosignatureRecord,
    Record,
    TimestampRecord,
    parse_record,
)
from archive.witness import check_cosignature
from core.errors import ProtocolError

MAX_UNSIGNED = 1024
"""More leaves than that are never written without a checkpoint."""


class LogAuditor:
    """`run` reads everything once; then `report` and `book` say what there is."""

    def __init__(
        self,
        report: LogReport,
        logs: Keyring,
        witnesses: Sequence[VerifierKey],
        kept: Sequence[Kept],
    ) -> None:
        self.report = report
        self.book = LogBook()
        self.texts: dict[int, str] = {}
        """Checkpoint texts at the sizes that time stamps are of."""
        self.timestamps: list[TimestampRecord] = []
        self._logs, self._witnesses, self._kept = logs, witnesses, kept
        self._tree = merkle.CompactRange()
        self._cosignatures: dict[int, list[CosignatureRecord]] = {}
        self._wanted: set[int] = set()
        self._trusted = self._untrusted = self._newest_signed = 0
        self._wanted_of_keys = {rotation.size for rotation in logs.rotations}
        self._signed_sizes: set[int] = set()
        """Of them: those the key that was replaced has signed."""

    def prepare(self, lines: Iterable[bytes]) -> None:
        """First pass over the checkpoints' file: what others said, and of which sizes."""
        for line in lines:
            record = self._record(line)
            if isinstance(record, CosignatureRecord):
                self._cosignatures.setdefault(record.size, []).append(record)
            elif isinstance(record, TimestampRecord):
                self.timestamps.append(record)
                self._wanted.add(record.size)
        for kept in self._kept:
            self._wanted |= kept.checkpoints.keys()

    def run(self, leaves: Iterable[bytes], checkpoints: Iterable[bytes]) -> None:
        """Second pass. Both in lines; what follows the last newline was torn off by a crash."""
        signed = self._signed(checkpoints)
        waiting = next(signed, None)
        waiting = self._compare(waiting, signed)
        for line in leaves:
            if not line.endswith(b"\n") or self._damaged:
                break
            self._leaf(line[:-1])
            waiting = self._compare(waiting, signed)
        self._finish(waiting, signed)

    # --- inside --------------------------------------------------------------------------

    @property
    def _damaged(self) -> bool:
        return any(item.verdict is Verdict.ALTERED for item in self.report.problems)

    def _leaf(self, data: bytes) -> None:
        try:
            leaf = parse_leaf(data)
            self.book.add(leaf)
            self._check_key(leaf)
        except ProtocolError as error:
            self._problem(Verdict.ALTERED, f"leaf {self._tree.size} cannot be read: {error}", ENTRIES)
        self._tree.append(merkle.leaf_hash(data))

    def _check_key(self, leaf: Leaf) -> None:
        """A new key follows the one before it, and is not heard of otherwise."""
        if not isinstance(leaf, KeyLeaf):
            return
        rotation = rotation_of(leaf, self._tree.size)
        if rotation not in self._logs.rotations:
            raise ProtocolError("it replaces a key that is not the log's")
        self.report.rotations.append({"leaf": self._tree.size, "key": leaf.key, "at_us": leaf.at_us})

    def _compare(self, waiting: Checkpoint | None, signed: Iterator[Checkpoint]) -> Checkpoint | None:
        """Everything that was said of the tree at its present size."""
        size = self._tree.size
        while waiting is not None and waiting.size <= size:
            self._newest_signed = waiting.size
            if waiting.size == size and waiting.root != self._tree.root():
                self._problem(
                    Verdict.ALTERED, f"the first {size} leaves are not those that were signed", ENTRIES
                )
            elif waiting.size < size:
                self._problem(Verdict.ALTERED, f"checkpoint {waiting.size} is out of order", CHECKPOINTS)
            waiting = next(signed, None)
        if size in self._wanted or size in self._cosignatures:
            self._compare_kept(size)
        return waiting

    def _compare_kept(self, size: int) -> None:
        root = self._tree.root()
        for kept in self._kept:
            if kept.checkpoints.get(size, {root}) != {root}:
                reason = f"at {size} leaves the log was another one: it was forked or changed"
                self._problem(Verdict.ALTERED, reason, kept.source)
        text = Checkpoint(self.report.origin, size, root).text
        if size in self._wanted:
            self.texts[size] = text
        for record in self._cosignatures.get(size, []):
            self._cosigned(text, record)

    def _cosigned(self, text: str, record: CosignatureRecord) -> None:
        signature = NoteSignature.parse(record.line.rstrip("\n"))
        for key in self._witnesses:
            if not signature.by(key):
                continue
            found = check_cosignature(text, signature, key)
            if found is None:
                reason = f"the cosignature of {key.name} at {record.size} leaves is not of this log"
                self._problem(Verdict.ALTERED, reason, CHECKPOINTS)
            else:
                fields = {"witness": found.witness, "size": record.size, "at_s": found.at_s}
                self.report.cosigned.append(fields)

    def _signed(self, lines: Iterable[bytes]) -> Iterator[Checkpoint]:
        """The checkpoints in the order in which they were signed."""
        for line in lines:
            record = self._record(line, quiet=True)
            if isinstance(record, CheckpointRecord):
                checkpoint = self._checkpoint(record)
                if checkpoint is not None:
                    self.report.checkpoints += 1
                    yield checkpoint

    def _checkpoint(self, record: CheckpointRecord) -> Checkpoint | None:
        try:
            note = Note.parse(record.note)
            checkpoint = Checkpoint.parse(note.text)
            signer = self._logs.signer(note, checkpoint.size)
            if signer is not None and checkpoint.size in self._wanted_of_keys:
                self._signed_sizes.add(checkpoint.size)
        except ProtocolError as error:
            self._problem(Verdict.ALTERED, f"a checkpoint: {error}", CHECKPOINTS)
            return None
        if checkpoint.origin != self.report.origin:
            self._problem(Verdict.ALTERED, f"a checkpoint of another log: {checkpoint.origin}", CHECKPOINTS)
        self._trusted += signer is not None
        self._untrusted += signer is None
        return checkpoint

    def _record(self, line: bytes, *, quiet: bool = False) -> Record | None:
        if not line.endswith(b"\n"):
            return None
        try:
            return parse_record(line[:-1])
        except ProtocolError as error:
            if not quiet:
                self._problem(Verdict.ALTERED, f"a line cannot be read: {error}", CHECKPOINTS)
            return None

    def _finish(self, waiting: Checkpoint | None, signed: Iterator[Checkpoint]) -> None:
        report, newest = self.report, self._tree.size
        report.size, report.root = self._tree.size, self._tree.root().hex()
        cut = waiting
        while cut is not None:
            newest, cut = cut.size, next(signed, None)
        if waiting is not None and not self._damaged:
            reason = f"it ends after {report.size} leaves, but {newest} were signed"
            self._problem(Verdict.TRUNCATED, reason, ENTRIES)
        report.unsigned = report.size - self._newest_signed
        if report.unsigned > MAX_UNSIGNED and not self._damaged:
            reason = f"it ends at {self._newest_signed} leaves, but there are {report.size}"
            self._problem(Verdict.TRUNCATED, reason, CHECKPOINTS)
        self._judge_signatures()
        for kept in self._kept:
            if kept.newest_size > report.size and not self._damaged:
                reason = f"it ends after {report.size} leaves; there were {kept.newest_size}"
                self._problem(Verdict.TRUNCATED, reason, kept.source)

    def _judge_signatures(self) -> None:
        unsigned = sorted(self._wanted_of_keys - self._signed_sizes)
        if self._trusted and unsigned:
            reason = f"leaf {unsigned[0] - 1} names a new key that the old one has not signed"
            self._problem(Verdict.ALTERED, reason, CHECKPOINTS)
        if self._trusted and self._untrusted:
            reason = "some checkpoints are signed by a key that is not trusted"
            self._problem(Verdict.ALTERED, reason, CHECKPOINTS)
        elif not self._trusted:
            reason = "no checkpoint is signed by a trusted key: give the log's key with --log-key"
            self._problem(Verdict.UNVERIFIABLE, reason, CHECKPOINTS)

    def _problem(self, verdict: Verdict, reason: str, source: str) -> None:
        self.report.problems.append(LogProblem(verdict, reason, source))
