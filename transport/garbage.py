"""Collect garbage by plan: between batches on a timer, not in the middle of a frame.

Automatic collection starts wherever the threshold is crossed, as often as not while a keyframe is being sent.
A media process creates next to no cycles, so young objects every ten seconds and everything once per minute
is plenty. What is young and alive is looked at each time, and that is what is remembered of the last two
seconds: ten times as often costs nearly ten times as much.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

YOUNG_INTERVAL_S: Final = 10.0
FULL_EVERY: Final = 6
"""Young collections per full one."""
_YOUNG_GENERATION: Final = 1


class GarbagePlan:
    """Call `start` when everything long-lived is loaded (it is not looked at again), `stop` at the end."""

    def __init__(self, interval_s: float = YOUNG_INTERVAL_S) -> None:
        self.collections = 0
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take over from the automatic collector, on the running event loop."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._plan()

    def stop(self) -> None:
        """Give back to the automatic collector."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.enable()
            gc.unfreeze()

    def _plan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._collect)

    def _collect(self) -> None:
        self.collections += 1
        gc.collect(2 if self.collections % FULL_EVERY == 0 else _YOUNG_GENERATION)
        self._plan()
