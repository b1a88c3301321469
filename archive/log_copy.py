"""The second copy of the log, in a store: with the copies of the archives it verifies at any time.

Three things have to agree there, though nothing can be changed at once. The log's copy says of no archive
more than its copy holds: a leaf waits for the lines it speaks of. No archive's copy begins before the log's
copy says that it was opened (`admits`). Checkpoints follow the leaves they cover. A leaf whose archive makes
no progress for `WAIT_NS` is copied all the same: then the copy shows what is missing.

A copy is only ever added to: when the log here is not the one that was copied, nothing is sent any more.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from archive.checkpoint import Checkpoint, Note
from archive.log_book import LATE_CLOSE
from archive.log_entries import AddendumLeaf, CloseLeaf, HeadLeaf, Leaf, OpenLeaf, RecordingLeaf, parse_leaf
from archive.log_records import CHECKPOINTS, ENTRIES, FOLDER, CheckpointRecord, parse_record
from archive.log_source import FILES, PART_BYTES, StoreLog, part_key
from archive.store_base import StoreError
from archive.store_s3 import S3Archive
from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError

WAIT_NS: Final = 600 * NS_PER_S
SEND_EVERY_NS: Final = 5 * NS_PER_S
"""A part that still grows is sent again, but not more often than this."""
MAX_LEAVES: Final = 500
"""In one go: so few that the copy never has more leaves after its newest checkpoint than a log may have."""
MAX_AHEAD: Final = 10_000
"""Leaves read, but not sent."""
_OPENING: Final = b'"kind":"open"'

log = structlog.get_logger()


class _Line(NamedTuple):
    """A leaf that is not in the store yet. `entries`: so many lines of the archive it speaks of."""

    end_bytes: int
    consultation: str
    entries: int


class LogCopy:
    """Blocking: call it in a thread. Not thread-safe. Without a log here, it does nothing."""

    def __init__(self, folder: Path, far: S3Archive, clock: Clock) -> None:
        self._folder, self._far, self._clock = folder, far, clock
        self._sent: dict[str, int] | None = None
        """Bytes of each file that the store has; None: it was not asked yet."""
        self._sent_leaves = 0
        self._read_bytes = dict.fromkeys(FILES, 0)
        self._leaves: deque[_Line] = deque()
        self._signed: deque[tuple[int, int]] = deque()
        """Lines about checkpoints that are not in the store yet: of how many leaves, and where they end."""
        self._signed_leaves = 0
        """They survive a power cut: a checkpoint follows its leaves."""
        self._opened: dict[str, int] = {}
        """Where the leaf ends that lets a consultation's copy begin."""
        self._marked: set[str] = set()
        """Consultations of which some leaf says where their archive stands."""
        self._stuck: dict[str, tuple[int, int]] = {}
        """What is waited for: how many lines of it there are, and since when."""
        self._sent_ns: int | None = None

    def step(self, lines_there: Callable[[str], int]) -> bool:
        """Send what may be sent; True when there is more to do at once. `lines_there`: how many lines a
        consultation's copy has. Raises `OSError`.
        """
        if not all((self._folder / name).is_file() for name in FILES):
            return False
        if self._sent is None:
            self._sent = {name: self._compare(name) for name in FILES}
        self._read_checkpoints(self._sent[CHECKPOINTS])
        self._read_leaves(self._sent[ENTRIES])
        allowed = self._allowed(lines_there)
        if allowed and self._due(allowed):
            self._send(ENTRIES, self._leaves[allowed - 1].end_bytes)
            for _ in range(allowed):
                self._leaves.popleft()
            self._sent_leaves += allowed
            self._sent_ns = self._clock.monotonic_ns()
        self._send_checkpoints()
        return allowed == MAX_LEAVES

    def admits(self, consultation: str) -> bool:
        """True when its copy may begin: the log's copy says that it was opened, or the log does not know it
        at all.
        """
        if self._sent is None:
            return True
        end = self._opened.get(consultation)
        if end is not None:
            return end <= self._sent[ENTRIES]
        return len(self._leaves) < MAX_AHEAD  # all are read

    # --- what is here --------------------------------------------------------------------

    def _compare(self, name: str) -> int:
        """How much of a file the store has. Raises `OSError` when that is not the beginning of the file here,
        but for a checkpoint that a power cut may have taken.
        """
        parts = StoreLog(self._far).parts(name)
        if not parts:
            return 0
        last = self._far.read(part_key(name, parts - 1))
        begin = (parts - 1) * PART_BYTES
        here = self._here(name, begin, begin + len(last))
        if here != last and name == CHECKPOINTS:
            last = last[: last.rfind(b"\n", 0, len(last) - 1) + 1]
            here = here[: len(last)]
        if here != last:
            raise OSError(None, "the log here is not the one in the store", str(self._folder / name))
        return begin + len(last)

    def _here(self, name: str, begin: int, end: int) -> bytes:
        with (self._folder / name).open("rb") as file:
            return os.pread(file.fileno(), end - begin, begin)

    def _new_lines(self, name: str) -> Iterator[bytes]:
        """Whole lines that have come."""
        with (self._folder / name).open("rb") as file:
            file.seek(self._read_bytes[name])
            while (line := file.readline()).endswith(b"\n"):
                self._read_bytes[name] += len(line)
                yield line

    def _read_leaves(self, sent: int) -> None:
        if len(self._leaves) >= MAX_AHEAD:
            return
        for line in self._new_lines(ENTRIES):
            end = self._read_bytes[ENTRIES]
            if end > sent:
                self._leaves.append(self._note(_leaf(line), end))
            else:
                self._sent_leaves += 1
                if _OPENING in line:
                    self._note(_leaf(line), end)
            if len(self._leaves) >= MAX_AHEAD:
                return

    def _note(self, leaf: Leaf, end: int) -> _Line:
        consultation = getattr(leaf, "consultation", None) or ""
        if isinstance(leaf, OpenLeaf | RecordingLeaf) and consultation not in self._marked:
            self._opened[consultation] = end
        elif isinstance(leaf, HeadLeaf | CloseLeaf | AddendumLeaf) and _is_of_manifest(leaf):
            self._marked.add(consultation)
            return _Line(end, consultation, leaf.entries)
        return _Line(end, consultation, 0)

    def _read_checkpoints(self, sent: int) -> None:
        if len(self._signed) >= MAX_AHEAD:
            return
        for line in self._new_lines(CHECKPOINTS):
            end = self._read_bytes[CHECKPOINTS]
            if end <= sent:
                continue
            size = _size_of(line)
            self._signed.append((size, end))
            self._signed_leaves = max(self._signed_leaves, size)
            if len(self._signed) >= MAX_AHEAD:
                return

    # --- what may be there ---------------------------------------------------------------

    def _allowed(self, lines_there: Callable[[str], int]) -> int:
        """How many of the waiting leaves may be sent."""
        most = min(MAX_LEAVES, self._signed_leaves - self._sent_leaves)
        allowed = 0
        for line in self._leaves:
            if allowed >= most or not self._may_go(line, lines_there):
                break
            allowed += 1
        return allowed

    def _may_go(self, line: _Line, lines_there: Callable[[str], int]) -> bool:
        """What it speaks of is there, or does not come."""
        there, now_ns = lines_there(line.consultation) if line.entries else 0, self._clock.monotonic_ns()
        if there >= line.entries:
            self._stuck.pop(line.consultation, None)
            return True
        lines, since_ns = self._stuck.get(line.consultation, (-1, 0))
        if lines != there:
            self._stuck[line.consultation] = (there, now_ns)
            return False
        if now_ns - since_ns < WAIT_NS:
            return False
        log.error("upload.log_goes_on_without", consultation=line.consultation, lines=there)
        return True

    def _due(self, allowed: int) -> bool:
        waited = self._sent_ns is None or self._clock.monotonic_ns() - self._sent_ns >= SEND_EVERY_NS
        return waited or allowed == MAX_LEAVES

    # --- sending -------------------------------------------------------------------------

    def _send_checkpoints(self) -> None:
        """Those whose leaves are there, with what others said of them."""
        covered = list(takewhile(lambda item: item[0] <= self._sent_leaves, self._signed))
        if covered:
            self._send(CHECKPOINTS, covered[-1][1])
            for _ in covered:
                self._signed.popleft()

    def _send(self, name: str, until: int) -> None:
        """Whole parts, then the beginning of the next; each is read back and compared."""
        assert self._sent is not None
        while self._sent[name] < until:
            number = self._sent[name] // PART_BYTES
            end = min(until, (number + 1) * PART_BYTES)
            data = self._here(name, number * PART_BYTES, end)
            key = part_key(name, number)
            self._far.write(key, data)
            if hashlib.sha256(self._far.read(key)).digest() != hashlib.sha256(data).digest():
                raise StoreError(self._far.place, "the store gave back something else than it was given")
            self._sent[name] = end


def _leaf(line: bytes) -> Leaf:
    """Raises `OSError`: what cannot be read is not copied."""
    try:
        return parse_leaf(line[:-1])
    except ProtocolError as error:
        raise OSError(None, f"the log cannot be read: {error}", f"{FOLDER}/{ENTRIES}") from None


def _is_of_manifest(leaf: HeadLeaf | CloseLeaf | AddendumLeaf) -> bool:
    """It says where a consultation's manifest stands; not where another one does."""
    return not isinstance(leaf, AddendumLeaf) or leaf.reason == LATE_CLOSE


def _size_of(line: bytes) -> int:
    """Of the tree that a line of the checkpoints' file is about. Raises `OSError`."""
    try:
        record = parse_record(line[:-1])
        if isinstance(record, CheckpointRecord):
            return Checkpoint.parse(Note.parse(record.note).text).size
    except ProtocolError as error:
        raise OSError(None, f"the log cannot be read: {error}", f"{FOLDER}/{CHECKPOINTS}") from None
    return record.size
