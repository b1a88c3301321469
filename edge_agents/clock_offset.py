"""Pure: how far this box's clock is from the server's, from answers that say what time it is there."""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 8
MAX_ROUND_TRIP_US: Final = 5_000_000
"""An answer that took longer says too little."""


class ClockOffset:
    """NTP's way (RFC 5905 §8): the answer with the shortest round trip of the last few counts."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=KEPT)

    def add(self, sent_us: int, server_us: int, received_us: int) -> None:
        """Unix microseconds: ours at asking, the server's, ours at the answer."""
        round_trip_us = received_us - sent_us
        if 0 <= round_trip_us <= MAX_ROUND_TRIP_US:
            self._samples.append((round_trip_us, (sent_us + received_us) // 2 - server_us))

    @property
    def ahead_us(self) -> int | None:
        """How far ours is ahead; None before there was an answer."""
        samples = tuple(self._samples)  # others ask from other threads
        return min(samples, key=lambda sample: sample[0])[1] if samples else None

    @property
    def uncertainty_us(self) -> int:
        """How far `ahead_us` may be wrong: half of that round trip; a second before there was an answer."""
        samples = tuple(self._samples)
        return min(samples)[0] // 2 if samples else 1_000_000

    @property
    def ahead_ms(self) -> int | None:
        return None if self.ahead_us is None else round(self.ahead_us / 1000)
