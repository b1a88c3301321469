"""Arithmetic on numbers that wrap: RTP sequence numbers (16 bits) and timestamps (32 bits)."""

from __future__ import annotations


def seq_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` on the 16-bit circle, −32768 … 32767 (negative: `a` is older)."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def seq_newer(a: int, b: int) -> bool:
    """True when `a` comes after `b` (RFC 1982 arithmetic on 16 bits)."""
    return 0 < ((a - b) & 0xFFFF) < 0x8000


def timestamp_delta(a: int, b: int) -> int:
    """How far `a` is ahead of `b` on the 32-bit circle, −2³¹ … 2³¹ − 1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class SequenceUnwrapper:
    """16-bit sequence numbers → integers that never wrap.

    The first number maps to itself; each later one to the nearest integer to the highest seen. What is older
    than the first may become negative; `& 0xFFFF` gives the wire number back in every case.
    """

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest: int | None = None

    def unwrap(self, sequence_number: int) -> int:
        """The extended number of `sequence_number`; the highest one is remembered."""
        highest = self.highest
        if highest is None:
            self.highest = sequence_number
            return sequence_number
        extended = highest + ((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000
        if extended > highest:
            self.highest = extended
        return extended

    def peek(self, sequence_number: int) -> int:
        """As `unwrap`, without remembering."""
        if self.highest is None:
            return sequence_number
        return self.highest + seq_delta(sequence_number, self.highest & 0xFFFF)


class TimestampUnwrapper:
    """32-bit RTP timestamps → integers that never wrap; rules as for `SequenceUnwrapper`."""

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """The extended value of `timestamp`; the highest one is remembered."""
        highest = self.highest
        if highest is None:
            self.highest = timestamp
            return timestamp
        extended = highest + ((timestamp - highest + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if extended > highest:
            self.highest = extended
        return extended

    def peek(self, timestamp: int) -> int:
        """As `unwrap`, without remembering."""
        if self.highest is None:
            return timestamp
        return self.highest + timestamp_delta(timestamp, self.highest & 0xFFFFFFFF)
