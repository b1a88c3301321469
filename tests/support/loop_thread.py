"""An event loop in a thread of its own, beside tests that are written without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

T = TypeVar("T")
WITHIN_S = 30.0


class LoopThread:
    """`with LoopThread() as loop: loop.run(coroutine)`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], within_s: float = WITHIN_S) -> T:
        """Its result. Raises what it raised, or `TimeoutError`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    def call(self, act: Callable[[], object]) -> None:
        """Do it there, and return when it is done."""

        async def acted() -> None:
            act()

        self.run(acted())
