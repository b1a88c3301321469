"""The log's level, as the service's administrator wants it for a while."""

from __future__ import annotations

import asyncio

import structlog

from core.device_health import LogLevel
from core.logging import change_level

log = structlog.get_logger()


class LogKnob:
    """On one event loop. `usual`: what the box was started with; it comes back by itself."""

    def __init__(self, usual: str) -> None:
        self._usual = usual
        self._back: asyncio.TimerHandle | None = None
        self.level = usual
        """Now."""

    def turn(self, level: LogLevel | None, for_s: int) -> None:
        """Again the same: it lasts from now on. None, or for no time: as usual."""
        if self._back is not None:
            self._back.cancel()
            self._back = None
        if level is None or for_s <= 0:
            self._set(self._usual)
            return
        self._set(level)
        self._back = asyncio.get_running_loop().call_later(for_s, self.turn, None, 0)

    def _set(self, level: str) -> None:
        if level != self.level:
            self.level = level
            change_level(level)
            log.warning("log_level_changed", level=level)
