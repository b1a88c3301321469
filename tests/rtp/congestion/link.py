"""A simulated path: capacity that changes, a drop-tail queue, delay, jitter, loss. Seeded, so that every run
is the same one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

MS_NS: Final = 1_000_000
S_NS: Final = 1_000_000_000
CROSS_BYTES: Final = 1_200


@dataclass(frozen=True)
class LinkProfile:
    """`capacity`: (from when in s, bit/s), rising. `jitter_ms`: delay added at a time; packets never
    overtake.
    """

    capacity: Sequence[tuple[float, int]]
    queue_ms: float = 200.0
    delay_ms: float = 20.0
    jitter_ms: Callable[[float, Random], float] | None = None
    loss: float = 0.0
    cross_bps: int = 0
    seed: int = 1


class Link:
    """Packets in, their arrival out."""

    def __init__(self, profile: LinkProfile) -> None:
        self._profile = profile
        self._random = Random(profile.seed)
        self._backlog_bits = 0.0
        self._at_ns = 0
        self._last_arrival_ns = 0
        self._next_cross_ns = 0
        self.dropped = 0
        """Packets that the queue had no room for."""

    def capacity_bps(self, now_ns: int) -> int:
        return next(bps for start_s, bps in reversed(self._profile.capacity) if start_s * S_NS <= now_ns)

    def send(self, now_ns: int, size_bytes: int) -> int | None:
        """When a packet that is sent now arrives; None if never."""
        self._run_to(now_ns)
        if not self._queue(now_ns, size_bytes):
            self.dropped += 1
            return None
        leaves_ns = now_ns + int(self._backlog_bits * S_NS / self.capacity_bps(now_ns))
        if self._random.random() < self._profile.loss:
            return None
        jitter_ms = 0.0
        if self._profile.jitter_ms is not None:
            jitter_ms = self._profile.jitter_ms(leaves_ns / S_NS, self._random)
        arrival_ns = leaves_ns + int((self._profile.delay_ms + jitter_ms) * MS_NS)
        self._last_arrival_ns = max(self._last_arrival_ns, arrival_ns)
        return self._last_arrival_ns

    def queue_ms(self, now_ns: int) -> float:
        """How long a packet would wait now."""
        self._run_to(now_ns)
        return self._backlog_bits * 1000 / self.capacity_bps(now_ns)

    def _queue(self, now_ns: int, size_bytes: int) -> bool:
        room_bits = self._profile.queue_ms / 1000 * self.capacity_bps(now_ns)
        if self._backlog_bits + size_bytes * 8 > max(room_bits, 3 * CROSS_BYTES * 8):
            return False
        self._backlog_bits += size_bytes * 8
        return True

    def _run_to(self, now_ns: int) -> None:
        while self._profile.cross_bps and self._next_cross_ns <= now_ns:
            self._drain(self._next_cross_ns)
            self._queue(self._next_cross_ns, CROSS_BYTES)
            self._next_cross_ns += CROSS_BYTES * 8 * S_NS // self._profile.cross_bps
        self._drain(now_ns)

    def _drain(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            drained_bits = (now_ns - self._at_ns) * self.capacity_bps(self._at_ns) / S_NS
            self._backlog_bits = max(0.0, self._backlog_bits - drained_bits)
            self._at_ns = now_ns


def bursts(
    *, height_ms: tuple[float, float], every_s: float, length_s: float
) -> Callable[[float, Random], float]:
    """Jitter as 5G has it: for `length_s` every `every_s` seconds, all comes later by as much."""

    def jitter_ms(at_s: float, random: Random) -> float:
        noise_ms = random.uniform(0.0, 3.0)
        return noise_ms + (random.uniform(*height_ms) if at_s % every_s < length_s else 0.0)

    return jitter_ms


def stalls(
    gap_s: tuple[float, float], height_ms: tuple[float, float], *, seed: int, end_s: float = 60.0
) -> Callable[[float, Random], float]:
    """A receiver that reads late: at times it stands still, then reads all at once what came meanwhile."""
    random = Random(seed)
    begins_s, ends_s = [0.0], [0.0]
    while ends_s[-1] < end_s:
        begins_s.append(ends_s[-1] + random.uniform(*gap_s))
        ends_s.append(begins_s[-1] + random.uniform(*height_ms) / 1000)

    def jitter_ms(at_s: float, _: Random) -> float:
        return max(0.0, ends_s[bisect_right(begins_s, at_s) - 1] - at_s) * 1000

    return jitter_ms
