"""How a process is asked to end: first SIGTERM or SIGINT, in order; the second, at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Final

import structlog

log = structlog.get_logger()

LAST_MOMENT_S: Final = 2.0
"""What is left after the second signal, to close files; then the process is gone."""
EXIT_AT_ONCE: Final = 1


class Stopping:
    """What the roles' main coroutines wait for."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        """The first call asks; any further one does not wait."""
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[Stopping]:
    """A `Stopping` that SIGTERM and SIGINT speak to while the context lasts; main thread only."""
    stopping, loop = Stopping(), asyncio.get_running_loop()
    last: list[asyncio.TimerHandle] = []

    def signalled() -> None:
        stopping.ask()
        if stopping.at_once.is_set() and not last:
            log.warning("stopping.at_once")
            last.append(loop.call_later(LAST_MOMENT_S, os._exit, EXIT_AT_ONCE))

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, signalled)
    try:
        yield stopping
    finally:
        for timer in last:
            timer.cancel()
        for number in numbers:
            loop.remove_signal_handler(number)
