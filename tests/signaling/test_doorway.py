"""Sockets that never say hello: bounded, and nobody who does say it is kept out by them."""

from __future__ import annotations

import aiohttp

from core import messages
from core.messages import Model
from signaling.doorway import MAX_SILENT_PER_NETWORK, Doorway
from signaling.room_socket import SOCKETS
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person, until


class Caller:
    """A connection that remembers how it ended."""

    def __init__(self) -> None:
        self.closed: int | None = None

    def send(self, message: Model) -> None:
        raise AssertionError(message)

    def close(self, code: int, reason: str) -> None:
        self.closed = code


def test_of_one_network_s_silent_sockets_the_oldest_goes_and_others_stay() -> None:
    doorway = Doorway(most=100, most_per_network=3)
    other = Caller()
    doorway.enter(other, "192.0.2.9")
    callers = [Caller() for _ in range(5)]
    for caller in callers:
        doorway.enter(caller, "192.0.2.1")
    assert [caller.closed for caller in callers] == [4408, 4408, None, None, None]
    assert other.closed is None
    assert len(doorway) == 4


def test_of_all_silent_sockets_the_oldest_goes_wherever_the_new_one_is_from() -> None:
    doorway = Doorway(most=3, most_per_network=3)
    callers = [Caller() for _ in range(5)]
    for number, caller in enumerate(callers):
        doorway.enter(caller, f"192.0.2.{number}")
    assert [caller.closed for caller in callers] == [4408, 4408, None, None, None]
    assert len(doorway) == 3


def test_who_said_hello_or_went_does_not_count() -> None:
    doorway = Doorway(most=100, most_per_network=2)
    first, second, third = Caller(), Caller(), Caller()
    doorway.enter(first, "192.0.2.1")
    doorway.leave(first)
    doorway.leave(first)
    doorway.enter(second, "192.0.2.1")
    doorway.enter(third, "192.0.2.1")
    assert [caller.closed for caller in (first, second, third)] == [None, None, None]
    doorway.leave(second)
    doorway.leave(third)
    assert len(doorway) == 0


async def test_people_come_in_while_one_address_holds_as_many_silent_sockets_as_it_may(world: World) -> None:
    inside, _ = await enter(world, person(world, "host"))
    silent = [await _silent(world) for _ in range(MAX_SILENT_PER_NETWORK + 10)]
    doorway = world.app[SOCKETS].doorway
    await until(lambda: len(doorway) == MAX_SILENT_PER_NETWORK)
    for socket in silent[:10]:
        assert (await socket.receive(timeout=5)).data == 4408
    await enter(world, person(world, "invited"))
    await inside.next(messages.ParticipantJoined)
    assert not silent[-1].closed
    for socket in silent:
        await socket.close()
    await until(lambda: len(doorway) == 0)


async def _silent(world: World) -> aiohttp.ClientWebSocketResponse:
    return await world.session.ws_connect("/ws", params={"room": "demo"}, protocols=["teleconsult.v1"])
