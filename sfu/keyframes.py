"""Pure: keyframe requests from viewers, coalesced into at most two a second towards one publisher layer.

A lost keyframe makes every viewer ask at once, and each keyframe costs the uplink many times a normal frame.
"""

from __future__ import annotations

from typing import Final

from core.clock import NS_PER_MS, NS_PER_S

MIN_INTERVAL_NS: Final = 500 * NS_PER_MS
"""Between two requests to one layer (≤ 2/s)."""
PATIENCE_NS: Final = 1_000 * NS_PER_MS
"""A request is repeated while no keyframe comes; RTCP may be lost."""
MAX_REPEATS: Final = 10
SLOW_NS: Final = 10 * NS_PER_S
"""After so many repetitions they come this far apart: perhaps the publisher takes no requests, perhaps the
way to it is broken for now, and viewers who have nothing to decode may not ask again by themselves."""


class KeyframeRequests:
    """Whether one layer's publisher shall be asked for a keyframe now."""

    def __init__(self) -> None:
        self._wanted = False
        self._sent_ns: int | None = None
        self._repeats = 0
        self.sent = 0

    @property
    def wanted(self) -> bool:
        """True while somebody waits for a keyframe."""
        return self._wanted

    def request(self) -> None:
        """Some consumer needs a keyframe."""
        self._wanted = True
        self._repeats = 0

    def received(self) -> None:
        """A keyframe has come: nobody waits any more."""
        self._wanted = False
        self._repeats = 0

    def due(self, now_ns: int) -> bool:
        """True when a request shall go out now (the caller sends it). To be asked at each tick."""
        if not self._wanted:
            return False
        if self._repeats > MAX_REPEATS:
            interval_ns = SLOW_NS
        else:
            interval_ns = PATIENCE_NS if self._repeats else MIN_INTERVAL_NS
        if self._sent_ns is not None and now_ns - self._sent_ns < interval_ns:
            return False
        self._sent_ns = now_ns
        self._repeats += 1
        self.sent += 1
        return True
