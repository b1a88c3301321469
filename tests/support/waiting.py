"""Waiting for what happens elsewhere: with a deadline, and a word about what did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LOOK_S = 0.02


async def until(
    condition: Callable[[], bool], what: str, within_s: float = 90.0, told: Callable[[], str] = str
) -> None:
    """Raises `AssertionError`, with what `told` says then."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}\n{told()}") from None


def blocking_until(condition: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
    """The same for something in a thread. Raises `AssertionError`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(LOOK_S)
