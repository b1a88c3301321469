"""Pure: do pictures flow? From what a feed has counted, looked at now and then.

A feed that has no pictures and says why (no such device), or shows a slate instead, is alive: a restart would
not bring any. One of which nothing at all is heard hangs, and only a new process gets it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S
from core.device_health import SignalState

HANGS_AFTER_S: Final = 15.0
"""A source that fails is tried again every 5 s at least, and says so each time."""
FLOWS_WITHIN_S: Final = 3.0
RATE_OVER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals since the feed began. `taken`: pictures and slates the encoder looked at, encoded or not.
    `sent`: frames given to the network. `resting`: nobody watches, so nothing is encoded. `connected`: there
    is a path. `signal`: what the source knows of it, if anything.
    """

    captured: int
    taken: int
    encoded: int
    failures: int
    sent: int
    resting: bool = False
    connected: bool = False
    signal: SignalState | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """`hangs`: nothing was heard of it for so long that it is not going to be. `worked`: it had pictures."""

    signal: SignalState
    flowing: bool
    sent: bool
    frames_per_s: float
    hangs: bool
    worked: bool


class _Progress:
    """When a number last changed."""

    def __init__(self, now_ns: int) -> None:
        self._value: int | None = None
        self._at_ns = now_ns

    def look(self, value: int, now_ns: int) -> float:
        """Seconds since it changed. A smaller one is a change, too: the feed was begun anew."""
        if self._value is not None and value != self._value:
            self._at_ns = now_ns
        self._value = value
        return (now_ns - self._at_ns) / NS_PER_S


class FeedWatch:
    """One feed's. Look about every second."""

    def __init__(self, now_ns: int) -> None:
        self._captured, self._taken = _Progress(now_ns), _Progress(now_ns)
        self._encoded, self._sent = _Progress(now_ns), _Progress(now_ns)
        self._spoken = _Progress(now_ns)
        self._rate = 0.0
        self._rate_from: tuple[int, int] | None = None
        self._worked = False

    def look(self, counts: Counts, now_ns: int) -> Flow:
        """How it is now."""
        self._worked = self._worked or counts.captured > 0
        captured_s = self._captured.look(counts.captured, now_ns)
        taken_s = self._taken.look(counts.taken, now_ns)
        encoded_s = self._encoded.look(counts.encoded, now_ns)
        sent_s = self._sent.look(counts.sent, now_ns)
        spoken_s = self._spoken.look(counts.failures, now_ns)
        has_pictures = captured_s < FLOWS_WITHIN_S and counts.captured > 0
        flowing = has_pictures and (counts.resting or encoded_s < FLOWS_WITHIN_S)
        return Flow(
            signal=_signal(counts, has_pictures),
            flowing=flowing,
            sent=flowing and counts.connected and (counts.resting or sent_s < FLOWS_WITHIN_S),
            frames_per_s=self._frames_per_s(counts.captured, now_ns),
            hangs=min(taken_s, spoken_s) > HANGS_AFTER_S,
            worked=self._worked,
        )

    def _frames_per_s(self, captured: int, now_ns: int) -> float:
        if self._rate_from is None or captured < self._rate_from[0]:
            self._rate_from, self._rate = (captured, now_ns), 0.0
        before, from_ns = self._rate_from
        elapsed_s = (now_ns - from_ns) / NS_PER_S
        if elapsed_s >= RATE_OVER_S:
            self._rate = round((captured - before) / elapsed_s, 1)
            self._rate_from = (captured, now_ns)
        return self._rate


def _signal(counts: Counts, has_pictures: bool) -> SignalState:
    if has_pictures:
        return "ok"
    return counts.signal if counts.signal in ("none", "failing") else "failing"


def is_well(flows: Iterable[Flow]) -> bool:
    """False when only a new process helps: a feed that worked hangs, or there is none that does not.

    One that never worked here while others do has had its new process: the others are not cut off for it.
    """
    seen = list(flows)
    if any(flow.hangs and flow.worked for flow in seen):
        return False
    return not seen or not all(flow.hangs for flow in seen)
