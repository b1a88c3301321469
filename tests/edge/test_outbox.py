"""The hand-over between threads and event loop is bounded, and what it drops leaves a decodable stream."""

from __future__ import annotations

import asyncio

from edge_agents.audio import EncodedAudio
from edge_agents.encoder import EncodedFrame
from edge_agents.outbox import MAX_WAITING, MAX_WAITING_AUDIO, AudioOutbox, Outbox
from edge_agents.sources.base import Instant


def unit(number: int, *, keyframe: bool = False) -> EncodedFrame:
    return EncodedFrame(b"", Instant(number, 0), keyframe)


def numbers(units: list[EncodedFrame]) -> list[int]:
    return [unit.captured.unix_us for unit in units]


async def turn() -> None:
    """Let everything run that was scheduled for now."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_put_in_a_thread_comes_out_in_order_on_the_loop() -> None:
    delivered: list[EncodedFrame] = []
    done = asyncio.Event()

    def deliver(frame: EncodedFrame) -> None:
        delivered.append(frame)
        if len(delivered) == 5:
            done.set()

    box = Outbox(asyncio.get_running_loop(), deliver, lambda: None)

    def work() -> None:
        for number in range(5):
            box.put(unit(number))

    await asyncio.to_thread(work)
    async with asyncio.timeout(5):
        await done.wait()
    assert numbers(delivered) == [0, 1, 2, 3, 4]


async def test_a_stuck_loop_loses_pictures_up_to_the_next_keyframe_and_asks_for_one() -> None:
    delivered: list[EncodedFrame] = []
    asked: list[bool] = []
    box = Outbox(asyncio.get_running_loop(), delivered.append, lambda: asked.append(True))
    for number in range(MAX_WAITING + 3):
        box.put(unit(number))
    assert asked == [True]
    await turn()
    box.put(unit(90))
    box.put(unit(100, keyframe=True))
    box.put(unit(101))
    await turn()
    assert numbers(delivered) == [100, 101]
    assert box.dropped == MAX_WAITING + 3 + 1


async def test_a_keyframe_that_finds_the_outbox_full_replaces_what_waits() -> None:
    delivered: list[EncodedFrame] = []
    asked: list[bool] = []
    box = Outbox(asyncio.get_running_loop(), delivered.append, lambda: asked.append(True))
    for number in range(MAX_WAITING):
        box.put(unit(number))
    box.put(unit(50, keyframe=True))
    await turn()
    assert numbers(delivered) == [50]
    assert not asked


async def test_sound_that_waits_too_long_loses_its_oldest_part() -> None:
    delivered: list[EncodedAudio] = []
    box = AudioOutbox(asyncio.get_running_loop(), delivered.append)
    for number in range(MAX_WAITING_AUDIO + 5):
        box.put(EncodedAudio(b"", Instant(number, 0)))
    await turn()
    assert [item.captured.unix_us for item in delivered] == list(range(5, MAX_WAITING_AUDIO + 5))
    box.put(EncodedAudio(b"", Instant(99, 0)))
    await turn()
    assert delivered[-1].captured.unix_us == 99
