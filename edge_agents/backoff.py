"""Pure: how long to wait before the next try."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 2.0


class Backoff:
    """Doubles from `first_s` to `longest_s`. Each delay is spread over its upper half, so that boxes which
    lost the same server do not all come back at the same moment; the caller gives `random`, in [0, 1).
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def next_delay_s(self, random: float) -> float:
        """The delay before the next try."""
        delay_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return delay_s * (0.5 + random / 2)

    def reset(self) -> None:
        """It worked: begin small again."""
        self._next_s = self._first_s
