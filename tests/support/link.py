"""Pure: one direction of an impaired link. Seeded, so that a failure can be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000


class Chance(Protocol):
    """`random.Random`'s part that a link needs."""

    def random(self) -> float: ...


@dataclass(frozen=True)
class Impairment:
    """What a link does. `rate_bps` 0: unlimited. `cut`: everything is lost."""

    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    rate_bps: int = 0
    queue_ms: float = 200.0
    cut: bool = False


class Link:
    """Says for each datagram when it comes out at the far end, or that it does not.

    The queue is drop-tail: a datagram that would wait longer than `queue_ms` is lost. Order is kept.
    """

    def __init__(self, impairment: Impairment, chance: Chance) -> None:
        self.impairment = impairment
        self._chance = chance
        self._free_ns = 0
        self._last_out_ns = 0
        self.passed = 0
        self.lost = 0

    def queued_ms(self, now_ns: int) -> float:
        """How long a datagram sent now would wait."""
        return max(0, self._free_ns - now_ns) / 1e6

    def arrival_ns(self, size_bytes: int, now_ns: int) -> int | None:
        """Time of arrival, or None when the datagram is lost."""
        shape = self.impairment
        if shape.cut or self._chance.random() < shape.loss:
            self.lost += 1
            return None
        start_ns = max(now_ns, self._free_ns)
        if shape.rate_bps:
            if start_ns - now_ns > shape.queue_ms * 1e6:
                self.lost += 1
                return None
            self._free_ns = start_ns + size_bytes * 8 * NS_PER_S // shape.rate_bps
            start_ns = self._free_ns
        wander_ms = shape.jitter_ms * self._chance.random() if shape.jitter_ms else 0.0
        out_ns = max(self._last_out_ns, start_ns + int((shape.delay_ms + wander_ms) * 1e6))
        self._last_out_ns = out_ns
        self.passed += 1
        return out_ns
