"""Pure: how long to wait before the next try."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 0.1
EAGER_LONGEST_S: Final = 0.2
EAGER_FOR_S: Final = 4.0
"""A restarted server is back within seconds: for so long tries stay close together."""
LONGEST_S: Final = 2.0


class Backoff:
    """Delays from 0.1 s to 0.2 s in the first 4 s of waiting, then doubling up to 2 s.

    Each is spread over its upper half, so that boxes which lost the same server do not all come back at the
    same moment; the caller gives `random`, in [0, 1).
    """

    def __init__(self) -> None:
        self._next_s = FIRST_S
        self._waited_s = 0.0

    def next_delay_s(self, random: float) -> float:
        """The delay before the next try."""
        delay_s = self._next_s * (0.5 + random / 2)
        self._waited_s += delay_s
        limit_s = EAGER_LONGEST_S if self._waited_s < EAGER_FOR_S else LONGEST_S
        self._next_s = min(self._next_s * 2, limit_s)
        return delay_s

    def reset(self) -> None:
        """It worked: begin small again."""
        self._next_s, self._waited_s = FIRST_S, 0.0
