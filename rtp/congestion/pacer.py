"""Spreads what is too much at once: whole frames pass while there is room, keyframes go out over several
ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Generic, TypeVar

from rtp.congestion.units import MS_NS, S_NS, TICK_NS

T = TypeVar("T")

PACE: Final = 2.5
"""Times the estimate: a keyframe five times an average frame is through after two frame intervals."""
GENTLE_PACE: Final = 1.25
"""On paths that lose what comes in lumps: a frame takes most of its interval."""
FULL_PACE: Final = 1.05
"""Where a queue has just been emptied, what waited here meanwhile would fill it again."""
BURST_NS: Final = 50 * MS_NS
"""What the estimate carries in this time may go out at once: one and a half frames at 30 frames/s."""
MAX_BYTES: Final = 2_000_000
MAX_AGE_NS: Final = 2 * S_NS


class PacketClass(IntEnum):
    """What goes first."""

    AUDIO = 0
    REPAIR = 1
    VIDEO = 2
    PADDING = 3


class Pacer(Generic[T]):
    """Queues of one transport. Items are packets, or whatever the caller sends as one."""

    __slots__ = (
        "_at_ns",
        "_burst_bytes",
        "_debt_bytes",
        "_max_age_ns",
        "_max_bytes",
        "_next_ns",
        "_pace_bytes",
        "_queues",
        "dropped",
        "is_roomy",
        "queued_bytes",
    )

    def __init__(
        self, *, estimate_bps: int, max_bytes: int = MAX_BYTES, max_age_ns: int = MAX_AGE_NS
    ) -> None:
        self._queues: tuple[deque[tuple[T, int, int]], ...] = tuple(deque() for _ in PacketClass)
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns
        self._debt_bytes = 0.0
        """What was sent and has not been paid off at the pace yet."""
        self.set_estimate(estimate_bps)
        self._at_ns = 0
        self._next_ns: int | None = None
        self.queued_bytes = 0
        self.dropped = 0
        """Items that became too old."""

    def set_estimate(self, estimate_bps: int, *, gentle: bool = False, full: bool = False) -> None:
        """The pace follows the estimate from now on. `gentle`, `full` (the estimator's): nothing passes in
        lumps; no more than the path carries.
        """
        pace = FULL_PACE if full else GENTLE_PACE if gentle else PACE
        burst_ns = TICK_NS if gentle or full else BURST_NS
        self._pace_bytes = estimate_bps * pace / (8 * S_NS)
        self._burst_bytes = estimate_bps * burst_ns // (8 * S_NS)
        self.is_roomy = not (gentle or full)
        """A frame may go out at once, and some bytes more do not matter."""
        # What went out at a much higher pace would take seconds to pay off at this one.
        self._debt_bytes = min(self._debt_bytes, max(self._burst_bytes, self._pace_bytes * TICK_NS))

    @property
    def next_ns(self) -> int | None:
        """When to call `due`; None while nothing is queued. A multiple of `TICK_NS`."""
        return self._next_ns

    @property
    def tick_bytes(self) -> int:
        """What goes out on each tick."""
        return int(self._pace_bytes * TICK_NS)

    def queued_ns(self, now_ns: int) -> int:
        """For how long the oldest packet has waited."""
        waiting = [queue[0][2] for queue in self._queues if queue]
        return max(0, now_ns - min(waiting)) if waiting else 0

    def passes(self, size_bytes: int, kind: PacketClass, now_ns: int) -> bool:
        """Whether `size_bytes` may go out at once; if so, they are counted as sent.

        Audio always may. Other packets wait behind those of their class, and of classes before it.
        """
        self._pay(now_ns)
        if kind is not PacketClass.AUDIO:
            if any(self._queues[: kind + 1]):
                return False
            if self._debt_bytes + size_bytes > self._burst_bytes:
                return False
        self._debt_bytes += size_bytes
        return True

    def push(self, item: T, size_bytes: int, kind: PacketClass, now_ns: int) -> bool:
        """Queue what did not pass; False (and not queued) when the queues are full."""
        if self.queued_bytes + size_bytes > self._max_bytes:
            return False
        self._queues[kind].append((item, size_bytes, now_ns))
        self.queued_bytes += size_bytes
        if self._next_ns is None:
            self._next_ns = _next_tick(now_ns)
        return True

    def due(self, now_ns: int) -> list[T]:
        """What goes out on this tick, in order. A late caller gets what it would have had in time."""
        self._pay(now_ns)
        self._drop_old(now_ns)
        items: list[T] = []
        late_ns = 0 if self._next_ns is None else min(max(0, now_ns - self._next_ns), BURST_NS)
        allowed_bytes = self._pace_bytes * (TICK_NS + late_ns)
        for queue in self._queues:
            while queue and self._debt_bytes < allowed_bytes:
                item, size_bytes, _ = queue.popleft()
                self.queued_bytes -= size_bytes
                self._debt_bytes += size_bytes
                items.append(item)
        self._next_ns = _next_tick(now_ns) if any(self._queues) else None
        return items

    def drop(self, kind: PacketClass, while_: Callable[[T], bool]) -> list[T]:
        """Take the oldest items of a class out for as long as `while_` says so: how a caller drops whole
        frames.
        """
        queue, items = self._queues[kind], []
        while queue and while_(queue[0][0]):
            item, size_bytes, _ = queue.popleft()
            self.queued_bytes -= size_bytes
            items.append(item)
        return items

    def _pay(self, now_ns: int) -> None:
        elapsed_ns = max(0, now_ns - self._at_ns)
        self._at_ns = max(self._at_ns, now_ns)
        self._debt_bytes = max(0.0, self._debt_bytes - elapsed_ns * self._pace_bytes)

    def _drop_old(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._max_age_ns
        for queue in self._queues:
            while queue and queue[0][2] < oldest_ns:
                self.queued_bytes -= queue.popleft()[1]
                self.dropped += 1


def _next_tick(now_ns: int) -> int:
    return (now_ns // TICK_NS + 1) * TICK_NS
