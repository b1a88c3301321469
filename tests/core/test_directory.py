"""Where rooms are placed and who is present."""

from __future__ import annotations

import pytest

from core.directory import MemoryDirectory
from core.errors import Unavailable
from core.messages import Participant


async def test_rooms_go_to_the_emptiest_worker_and_stay_there() -> None:
    directory = MemoryDirectory()
    placed = [await directory.place_room(room, ["w1", "w2"]) for room in ("a", "b", "c")]
    assert sorted(placed[:2]) == ["w1", "w2"]
    assert [await directory.place_room(room, ["w2", "w1"]) for room in ("a", "b", "c")] == placed


async def test_a_room_moves_when_its_worker_is_gone() -> None:
    directory = MemoryDirectory()
    await directory.place_room("a", ["w1"])
    assert await directory.place_room("a", ["w2"]) == "w2"
    assert await directory.rooms_of("w2") == {"a"}
    await directory.release_room("a")
    assert await directory.worker_of("a") is None


async def test_without_workers_placing_says_try_again() -> None:
    with pytest.raises(Unavailable):
        await MemoryDirectory().place_room("a", [])


async def test_presence_lists_who_entered_and_did_not_leave() -> None:
    directory = MemoryDirectory()
    people = [Participant(participant_id=f"p_{n}", name=str(n), role="site") for n in range(3)]
    for person in people:
        await directory.enter("a", person)
    await directory.leave("a", "p_1")
    await directory.leave("a", "p_unknown")
    assert await directory.present("a") == (people[0], people[2])
    assert await directory.present("b") == ()
