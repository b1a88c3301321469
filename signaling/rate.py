"""Pure: how much a client may do. Time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from core.clock import NS_PER_S


class TokenBucket:
    """Allows `rate` units a second, and `burst` at once after a rest."""

    def __init__(self, rate: float, burst: float, now_ns: int) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at_ns = now_ns

    def take(self, units: float, now_ns: int) -> bool:
        """False when there are not that many left."""
        gained = self._rate * (now_ns - self._at_ns) / NS_PER_S
        self._level = min(self._burst, self._level + gained)
        self._at_ns = now_ns
        if self._level < units:
            return False
        self._level -= units
        return True


class Throttle:
    """A bucket for each key (a person, a seat). Of too many, those that were quiet longest are forgotten."""

    def __init__(self, rate: float, burst: float, *, max_keys: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def allows(self, key: str, now_ns: int) -> bool:
        """Count one; False when that is too much."""
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate, self._burst, now_ns)
        self._buckets[key] = bucket
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return bucket.take(1, now_ns)


class LoginThrottle:
    """Failures of a key (a person at an address, an address) cost a wait, doubling from the `free`-th on."""

    def __init__(
        self, free: int, *, first_wait_s: int = 1, longest_wait_s: int = 900, max_keys: int = 10_000
    ) -> None:
        self._free = free
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._max_keys = max_keys
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_s(self, key: str, now_ns: int) -> int:
        """Seconds until the next attempt is heard; 0 now."""
        count, until_ns = self._failures.get(key, (0, 0))
        return max(0, -((now_ns - until_ns) // NS_PER_S)) if count >= self._free else 0

    def failed(self, key: str, now_ns: int) -> None:
        """Count a failure. Of too many keys, those that failed longest ago are forgotten."""
        count, until_ns = self._failures.pop(key, (0, now_ns))
        if now_ns - until_ns > self._longest_wait_s * NS_PER_S:
            count = 0
        count += 1
        wait_s = min(self._longest_wait_s, self._first_wait_s << min(20, max(0, count - self._free)))
        self._failures[key] = (count, now_ns + (wait_s * NS_PER_S if count >= self._free else 0))
        while len(self._failures) > self._max_keys:
            self._failures.popitem(last=False)

    def forgiven(self, key: str) -> None:
        """One attempt counted as a failure was none."""
        count, until_ns = self._failures.get(key, (0, 0))
        if count > 1:
            self._failures[key] = (count - 1, until_ns)
        else:
            self._failures.pop(key, None)

    def succeeded(self, key: str) -> None:
        """Forget this key's failures."""
        self._failures.pop(key, None)


MESSAGES_PER_S: Final = 100
MESSAGES_BURST: Final = 200
BYTES_PER_S: Final = 1_000_000
BYTES_BURST: Final = 4_000_000


class FloodGuard:
    """What one WebSocket may send."""

    def __init__(self, now_ns: int) -> None:
        self._messages = TokenBucket(MESSAGES_PER_S, MESSAGES_BURST, now_ns)
        self._bytes = TokenBucket(BYTES_PER_S, BYTES_BURST, now_ns)

    def allows(self, size_bytes: int, now_ns: int) -> bool:
        return self._messages.take(1, now_ns) and self._bytes.take(size_bytes, now_ns)
