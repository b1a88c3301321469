"""Units that the parts of congestion control share."""

from typing import Final

MS_NS: Final = 1_000_000
S_NS: Final = 1_000_000_000
TICK_NS: Final = 5 * MS_NS
"""Pacing and probing happen on multiples of this, so that all senders of a process wake up together."""


def bits_per_second(size_bytes: int, duration_ns: int) -> float:
    """A rate; `duration_ns` must be positive."""
    return size_bytes * 8 * S_NS / duration_ns
