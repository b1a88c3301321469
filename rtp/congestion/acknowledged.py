"""How fast acknowledged bytes reached the receiver (draft-ietf-rmcat-gcc-02 §5.5: R_hat)."""

from __future__ import annotations

from collections import deque
from typing import Final

from rtp.congestion.units import MS_NS, S_NS, bits_per_second

WINDOW_NS: Final = 500 * MS_NS
SHORT_NS: Final = 90 * MS_NS
GAP_NS: Final = 2 * S_NS
MAX_MARKS: Final = 64


class AcknowledgedRate:
    """Counts per feedback, in the receiver's clock."""

    __slots__ = ("_bytes", "_marks")

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque(maxlen=MAX_MARKS)
        """Latest arrival of a feedback, bytes received up to it."""
        self._bytes = 0

    def add(self, arrival_ns: int, size_bytes: int) -> None:
        """`size_bytes` have come, the last of them at `arrival_ns`."""
        marks = self._marks
        self._bytes += size_bytes
        if marks and arrival_ns <= marks[-1][0]:
            if marks[-1][0] - arrival_ns < GAP_NS:
                marks[-1] = (marks[-1][0], self._bytes)
                return
            marks.clear()
        elif marks and arrival_ns - marks[-1][0] > GAP_NS:
            marks.clear()
        marks.append((arrival_ns, self._bytes))
        oldest_ns = arrival_ns - WINDOW_NS
        while len(marks) > 2 and marks[1][0] <= oldest_ns:
            marks.popleft()

    @property
    def remembered(self) -> int:
        """Feedbacks held."""
        return len(self._marks)

    @property
    def bps(self) -> float | None:
        """Over the last half second; None before two feedbacks."""
        marks = self._marks
        if len(marks) < 2:
            return None
        (first_ns, first_bytes), (last_ns, last_bytes) = marks[0], marks[-1]
        return bits_per_second(last_bytes - first_bytes, last_ns - first_ns)

    @property
    def latest_bps(self) -> float | None:
        """Over the latest feedbacks that make up `SHORT_NS`: true while a queue stands, else it sees frames
        come.
        """
        marks = self._marks
        if len(marks) < 2:
            return None
        last_ns, last_bytes = marks[-1]
        for index in range(len(marks) - 2, -1, -1):
            at_ns, before_bytes = marks[index]
            if last_ns - at_ns >= SHORT_NS:
                return bits_per_second(last_bytes - before_bytes, last_ns - at_ns)
        return self.bps
