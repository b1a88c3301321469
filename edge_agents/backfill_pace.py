"""Pure: how fast what was kept may be delivered, so that live pictures never notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S

SHARE: Final = 0.15
"""Of what the path is thought to carry."""
TIGHT_SHARE: Final = 0.05
"""While the pictures get less than they could use."""
GROWTH_PER_S: Final = 1.2
MIN_BPS: Final = 64_000
ALONE_BPS: Final = 20_000_000
"""While nothing is sent live."""
QUEUED_MS: Final = 40.0
"""More than this in the network's queues, and the path is full."""
CHUNK_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Uplink:
    """What one feed's connection knows of the path. `at_ease`: the pictures get all they can use."""

    estimate_bps: int
    congested: bool
    at_ease: bool
    queue_ms: float


def allowed_bps(uplinks: Iterable[Uplink]) -> int:
    """The rate at which to deliver now; 0: not now."""
    found = list(uplinks)
    if not found:
        return ALONE_BPS
    if any(one.congested or one.queue_ms > QUEUED_MS for one in found):
        return 0
    share = SHARE if all(one.at_ease for one in found) else TIGHT_SHARE
    return max(MIN_BPS, int(sum(one.estimate_bps for one in found) * share))


class Pacer:
    """How fast, and when the next bytes may go. The longer nothing is disturbed, the faster, but never faster
    than what the live pictures are thought to have; any pressure begins again.
    """

    def __init__(self) -> None:
        self._due_ns = 0
        self._boost = 1.0
        self._looked_ns: int | None = None

    def rate_bps(self, uplinks: Iterable[Uplink], now_ns: int) -> int:
        """The rate now; 0: not now."""
        found = list(uplinks)
        allowed = allowed_bps(found)
        since_ns, self._looked_ns = self._looked_ns, now_ns
        if allowed == 0 or not found or not all(one.at_ease for one in found):
            self._boost = 1.0
        elif since_ns is not None:
            elapsed_s = min(1.0, (now_ns - since_ns) / NS_PER_S)
            self._boost = min(1 / SHARE, self._boost * GROWTH_PER_S**elapsed_s)
        return int(allowed * self._boost)

    def delay_s(self, now_ns: int) -> float:
        """How long to wait before the next ones."""
        return max(0, self._due_ns - now_ns) / NS_PER_S

    def sent(self, size_bytes: int, rate_bps: int, now_ns: int) -> None:
        """They count from now on; what was not used before is not made up for."""
        self._due_ns = max(self._due_ns, now_ns) + size_bytes * 8 * NS_PER_S // max(1, rate_bps)
