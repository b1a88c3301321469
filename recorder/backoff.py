"""How long to wait before the next try: soon, never more than a second, never all at once."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.05
LONGEST_S: Final = 1.0


class Backoff:
    """Delays double from 0.05 s to 1 s, each spread over its upper half."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_delay_s(self) -> float:
        """The delay before the next try."""
        delay_s = self._next_s * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, hides nothing
        self._next_s = min(self._next_s * 2, LONGEST_S)
        return delay_s

    def reset(self) -> None:
        """It worked: begin small again."""
        self._next_s = FIRST_S
