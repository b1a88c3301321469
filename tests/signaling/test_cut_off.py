"""Somebody whose connection was ended can do nothing more, however slowly they read what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import messages
from core.consultations import consultation_in_room
from signaling import room_socket
from signaling.accounts import revoke
from signaling.room_socket import SOCKETS, SocketConnection
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person, until


def _stop_reading(world: World) -> SocketConnection:
    """The only client takes nothing any more: the server's writes to it hang, as with full TCP buffers."""
    (connection,) = world.app[SOCKETS].connections

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    connection.socket.send_str = hang  # type: ignore[method-assign]  # this is what a full buffer does
    connection.send(messages.Pong(id=0, server_time_us=0))
    return connection


async def test_a_revoked_host_who_does_not_read_can_no_longer_act(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.sync()
    _stop_reading(world)
    await revoke(world.context, "u_host")
    for _ in range(20):
        await host.send(messages.SetPaused(paused=True))
    await until(lambda: not world.app[SOCKETS].connections)
    stored = await consultation_in_room(world.database, "demo")
    assert stored is not None
    assert not stored.paused
    assert "pause" not in {action for _, action, _ in await world.audit()}


async def test_an_ended_connection_is_gone_soon_however_much_was_queued_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_socket, "SEND_WITHIN_S", 0.3)
    host, _ = await enter(world, person(world, "host"))
    await host.sync()
    (connection,) = world.app[SOCKETS].connections

    async def crawl(_text: str) -> None:
        await asyncio.sleep(0.2)  # a client that reads just fast enough for each single message

    connection.socket.send_str = crawl  # type: ignore[method-assign]  # this is what a slow reader does
    for number in range(100):
        connection.send(messages.Pong(id=number, server_time_us=0))
    started_s = asyncio.get_running_loop().time()
    await revoke(world.context, "u_host")
    await until(lambda: not world.app[SOCKETS].connections)
    assert asyncio.get_running_loop().time() - started_s < 5
