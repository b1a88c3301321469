"""Events reach every reader in order; a slow reader is told to start over instead of missing some."""

from __future__ import annotations

import pytest

from core.worker_api import TransportChanged, WorkerReady
from sfu.events import EventHub, SlowReader

READY = WorkerReady(worker_id="sfu-1", boot_id="b")


def changed(number: int) -> TransportChanged:
    return TransportChanged(transport_id=f"t{number}", state="connected")


async def test_the_present_state_comes_first_then_events_in_order() -> None:
    hub = EventHub()
    async with hub.subscribe([READY]) as reader:
        hub.emit(changed(1))
        hub.emit(changed(2))
        assert [await reader.get() for _ in range(3)] == [READY, changed(1), changed(2)]


async def test_a_reader_that_falls_behind_is_disconnected() -> None:
    hub = EventHub(limit=2)
    async with hub.subscribe([]) as reader:
        for number in range(3):
            hub.emit(changed(number))
        with pytest.raises(SlowReader):
            await reader.get()
    assert hub.dropped == 1


async def test_one_slow_reader_takes_nothing_from_another() -> None:
    hub = EventHub(limit=1)
    async with hub.subscribe([]) as _slow, hub.subscribe([]) as quick:
        for number in range(3):
            hub.emit(changed(number))
            assert await quick.get() == changed(number)


async def test_a_reader_that_left_gets_nothing_more() -> None:
    hub = EventHub(limit=1)
    async with hub.subscribe([]):
        pass
    hub.emit(changed(1))
    hub.emit(changed(2))
    assert hub.dropped == 0


async def test_a_present_state_longer_than_the_queue_leaves_room_for_what_follows() -> None:
    hub = EventHub(limit=2)
    async with hub.subscribe([changed(number) for number in range(5)]) as reader:
        hub.emit(changed(5))
        assert [await reader.get() for _ in range(6)] == [changed(number) for number in range(6)]
