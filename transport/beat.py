"""What may wait a moment is done together, so that the process wakes no more often than it has to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

BEAT_S: Final = 0.25
"""How late what is no part of the media may be noticed."""


def at_next_beat(callback: Callable[[], object]) -> asyncio.TimerHandle:
    """Call it within `BEAT_S` on the running event loop, together with whatever else waits for that."""
    loop = asyncio.get_running_loop()
    return loop.call_at((loop.time() // BEAT_S + 1) * BEAT_S, callback)
