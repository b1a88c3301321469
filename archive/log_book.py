"""Pure: what the log's leaves say of each consultation, kept as small as it can be.

Signaling keeps those that are not finished; a verifier keeps all of them. Where a consultation's manifest
must stand is a list of marks: after so many lines, this hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from archive.log_entries import (
    AccessLeaf,
    AddendumLeaf,
    CloseLeaf,
    HeadLeaf,
    KeyLeaf,
    Leaf,
    OpenLeaf,
    RecordingLeaf,
)

LATE_CLOSE: Final = "late_close"
_MARK_BYTES: Final = 40


class Marks:
    """(lines, hash of the last one), 40 bytes each."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, entries: int, head: str) -> None:
        self._data += entries.to_bytes(8, "big") + bytes.fromhex(head)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for at in range(0, len(self._data), _MARK_BYTES):
            mark = self._data[at : at + _MARK_BYTES]
            yield int.from_bytes(mark[:8], "big"), mark[8:].hex()

    @property
    def last(self) -> tuple[int, str] | None:
        """The newest."""
        if not self._data:
            return None
        mark = self._data[-_MARK_BYTES:]
        return int.from_bytes(mark[:8], "big"), mark[8:].hex()

    @property
    def entries(self) -> int:
        """The most lines any of them speaks of."""
        return max((entries for entries, _ in self), default=0)


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody stopped recording, or began it; `leaf`: the index of what says so."""

    leaf: int
    at_us: int
    record: bool
    by: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Not recorded, by decision, between two moments (µs since 1970 UTC; None: it did not go on).

    `leaf`, `until_leaf`: the indices of the leaves that say so.
    """

    begin_us: int
    end_us: int | None
    leaf: int
    until_leaf: int | None
    by: str


@dataclass(slots=True)
class Record:
    """One consultation. `index`: of its first leaf. `final`: its archive was closed with the last mark.
    `decisions`: about recording, in order.
    """

    consultation: str
    index: int
    opened: OpenLeaf | None = None
    closed: CloseLeaf | None = None
    marks: Marks = field(default_factory=Marks)
    final: bool = False
    shredded: bool = False
    decisions: list[Decision] = field(default_factory=list)

    @property
    def record(self) -> bool:
        """It was to be recorded, or was, later. What was never opened in the log is taken to have been."""
        begun = any(decision.record for decision in self.decisions)
        return self.opened is None or self.opened.record or begun or self.marks.last is not None

    @property
    def recording(self) -> bool | None:
        """Whether it shall be recorded now; None when the log does not say."""
        if self.decisions:
            return self.decisions[-1].record
        return None if self.opened is None else self.opened.record

    def stops(self) -> list[Stop]:
        """When it was not recorded, by decision; the time before it began for the first time, too."""
        found: list[Stop] = []
        since = self._unrecorded_from()
        for decision in self.decisions:
            if decision.record and since is not None:
                end = (decision.at_us, since.leaf, decision.leaf, since.by)
                found.append(Stop(since.at_us, *end))
                since = None
            elif not decision.record and since is None:
                since = decision
        if since is not None:
            found.append(Stop(since.at_us, None, since.leaf, None, since.by))
        return found

    def _unrecorded_from(self) -> Decision | None:
        """How it was opened, if a decision changed that."""
        if self.opened is None or self.opened.record or not self.decisions:
            return None
        return Decision(self.index, self.opened.at_us, False, self.opened.by)

    @property
    def finished(self) -> bool:
        """Nothing is waited for any more."""
        return self.closed is not None and (self.final or self.closed.state != "provisional")


class LogBook:
    """Give it every leaf in order. `problems`: leaves that contradict earlier ones, by index."""

    def __init__(self, *, keep_finished: bool = True) -> None:
        """`keep_finished` False: forget a consultation once nothing of it is waited for."""
        self.size = 0
        self.records: dict[str, Record] = {}
        self.problems: list[tuple[int, str]] = []
        self.first_at_us: int | None = None
        self._keep_finished = keep_finished

    def add(self, leaf: Leaf) -> None:
        """The next leaf."""
        index, self.size = self.size, self.size + 1
        if self.first_at_us is None:
            self.first_at_us = leaf.at_us
        if isinstance(leaf, KeyLeaf):
            return
        if isinstance(leaf, AccessLeaf):
            self._note_access(leaf)
            return
        record = self.records.get(leaf.consultation)
        if record is None and not self._keep_finished and not isinstance(leaf, OpenLeaf):
            return  # of one that is finished
        if record is None:
            record = self.records[leaf.consultation] = Record(leaf.consultation, index)
            if not isinstance(leaf, OpenLeaf):
                self.problems.append((index, f"{leaf.consultation} was never opened in the log"))
        self._apply(record, leaf, index)
        if record.finished and not self._keep_finished:
            del self.records[leaf.consultation]

    def _apply(self, record: Record, leaf: Leaf, index: int) -> None:
        if isinstance(leaf, OpenLeaf):
            if record.opened is not None:
                self.problems.append((index, f"{leaf.consultation} was opened twice"))
            record.opened = record.opened or leaf
        elif isinstance(leaf, RecordingLeaf):
            self._decide(record, leaf, index)
        elif isinstance(leaf, HeadLeaf | CloseLeaf | AddendumLeaf):
            if isinstance(leaf, CloseLeaf):
                if record.closed is not None:
                    self.problems.append((index, f"{leaf.consultation} was closed twice"))
                record.closed = record.closed or leaf
            self._mark(record, leaf)

    def _decide(self, record: Record, leaf: RecordingLeaf, index: int) -> None:
        if leaf.reason == "corrected" and record.decisions:
            record.decisions.pop()
        if record.recording != leaf.record:
            record.decisions.append(Decision(index, leaf.at_us, leaf.record, leaf.by))

    def _mark(self, record: Record, leaf: HeadLeaf | CloseLeaf | AddendumLeaf) -> None:
        if isinstance(leaf, AddendumLeaf) and leaf.reason != LATE_CLOSE:
            return  # a manifest of its own
        if leaf.head is not None:
            record.marks.add(leaf.entries, leaf.head)
        if isinstance(leaf, HeadLeaf):
            record.final = record.final or leaf.final
        else:
            record.final = record.final or isinstance(leaf, AddendumLeaf) or leaf.state == "final"

    def _note_access(self, leaf: AccessLeaf) -> None:
        record = self.records.get(leaf.consultation or "")
        if record is not None and leaf.access == "shred":
            record.shredded = True
