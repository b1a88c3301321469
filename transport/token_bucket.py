"""Pure: a budget that refills with time."""

from __future__ import annotations

from core.clock import NS_PER_S


class TokenBucket:
    """At most `burst` at once and `per_second` in the long run. Full at the start."""

    __slots__ = ("_burst", "_per_second", "_tokens", "_updated_ns")

    def __init__(self, per_second: float, burst: float, now_ns: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._updated_ns = now_ns

    def take(self, now_ns: int, amount: float = 1.0) -> bool:
        """Spend `amount` when there is that much. `now_ns` is monotonic."""
        refill = (now_ns - self._updated_ns) * self._per_second / NS_PER_S
        self._tokens = min(self._burst, self._tokens + refill)
        self._updated_ns = now_ns
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True
