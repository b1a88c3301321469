"""Garbage is collected by plan."""

from __future__ import annotations

import asyncio
import gc
import weakref

from tests.transport.support import DEADLINE_S
from transport.garbage import GarbagePlan


class Knot:
    """Something only the collector can free."""

    def __init__(self) -> None:
        self.me = self


async def test_cycles_are_freed_on_the_timer_and_never_in_between() -> None:
    plan = GarbagePlan(interval_s=0.05)
    plan.start()
    try:
        assert not gc.isenabled()
        freed = asyncio.Event()
        weakref.finalize(Knot(), freed.set)
        before = plan.collections
        junk = [Knot() for _ in range(100_000)]  # far beyond the automatic thresholds
        del junk
        assert plan.collections == before
        assert not freed.is_set()
        async with asyncio.timeout(DEADLINE_S):
            await freed.wait()
    finally:
        plan.stop()


async def test_the_automatic_collector_comes_back() -> None:
    plan = GarbagePlan()
    plan.start()
    plan.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    plan.stop()
