"""Packets back into order: waits a bounded time for missing ones, then reports the gap and goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rtp.sequence import SequenceUnwrapper

Item = TypeVar("Item")

_RESTART_DISTANCE: Final = 1_000
_RESTART_RUN: Final = 16
"""This many consecutive numbers far behind mean that the sender restarted its numbering (RFC 3550 A.1)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Packets that never came. `first` is unwrapped; `count` is 0 when the sender restarted its numbering."""

    first: int
    count: int


class ReorderBuffer(Generic[Item]):
    """Orders a stream's items by RTP sequence number; at most `max_packets` wait, then a gap is given up."""

    def __init__(self, *, max_wait_ns: int, max_packets: int = 512) -> None:
        self._max_wait_ns = max_wait_ns
        self._max_packets = max_packets
        self._unwrapper = SequenceUnwrapper()
        self._waiting: dict[int, tuple[Item, int]] = {}
        self._next: int | None = None
        self._late_run = 0
        self._late_next = -1
        self.late = 0
        """Items dropped because their turn had passed."""
        self.duplicates = 0
        """Items dropped because the same number was waiting already."""

    @property
    def next_deadline_ns(self) -> int | None:
        """When `poll` will give up on what is missing; None while nothing is."""
        if not self._waiting:
            return None
        oldest = next(iter(self._waiting.values()))  # insertion order is order of arrival
        return oldest[1] + self._max_wait_ns

    def push(self, sequence_number: int, item: Item, now_ns: int) -> list[Item | Gap]:
        """Take one item; return what is in order now, gaps that were given up included."""
        out: list[Item | Gap] = []
        number = self._unwrapper.peek(sequence_number)
        if self._next is None:
            self._next = number
        if number < self._next:
            if not self._restarted(sequence_number, number):
                self.late += 1
                return out
            out += self._restart()
            number = self._next = sequence_number
        self._late_next = -1  # a stream that goes on did not restart
        self._unwrapper.unwrap(sequence_number)
        if number in self._waiting:
            self.duplicates += 1
            return out
        self._waiting[number] = (item, now_ns)
        return out + self._drain(now_ns)

    def poll(self, now_ns: int) -> list[Item | Gap]:
        """Return what has become available because waiting for the missing took too long."""
        return self._drain(now_ns)

    def flush(self) -> list[Item | Gap]:
        """Return everything that waits, with its gaps: the stream has ended."""
        out: list[Item | Gap] = []
        while self._waiting:
            out += self._skip()
            out += self._in_order()
        return out

    def _drain(self, now_ns: int) -> list[Item | Gap]:
        out = self._in_order()
        while self._waiting and (len(self._waiting) > self._max_packets or self._overdue(now_ns)):
            out += self._skip()
            out += self._in_order()
        return out

    def _overdue(self, now_ns: int) -> bool:
        deadline = self.next_deadline_ns
        return deadline is not None and now_ns >= deadline

    def _in_order(self) -> list[Item | Gap]:
        out: list[Item | Gap] = []
        number = self._next or 0
        while (entry := self._waiting.pop(number, None)) is not None:
            out.append(entry[0])
            number += 1
        if out:
            self._next = number
        return out

    def _skip(self) -> list[Item | Gap]:
        expected, first = self._next or 0, min(self._waiting)
        self._next = first
        return [Gap(expected, first - expected)] if first > expected else []

    def _restarted(self, sequence_number: int, number: int) -> bool:
        far_behind = (self._next or 0) - number > _RESTART_DISTANCE
        in_run = far_behind and sequence_number == self._late_next
        self._late_run = self._late_run + 1 if in_run else 1
        self._late_next = (sequence_number + 1) & 0xFFFF
        return far_behind and self._late_run >= _RESTART_RUN

    def _restart(self) -> list[Item | Gap]:
        out = self.flush()
        out.append(Gap(self._next or 0, 0))
        self._unwrapper = SequenceUnwrapper()
        self._late_run = 0
        return out
