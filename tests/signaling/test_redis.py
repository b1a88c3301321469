"""A service whose directory is in Redis: others see its rooms; without Redis, calls go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from core import messages
from core.redis_directory import directory_for
from signaling.readiness import DIRECTORY
from tests.signaling.conftest import World, make_world
from tests.support.redis import RedisServer, running_redis

WITHIN_S = 20.0


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not look():
            await asyncio.sleep(0.01)


@pytest.fixture
async def shared(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, RedisServer]]:
    with running_redis(tmp_path_factory.mktemp("r")) as server:
        await server.ready()
        async with make_world(tmp_path, redis_url=server.url) as world:
            yield world, server


async def test_others_see_who_is_in_a_room_and_where_it_is(shared: tuple[World, RedisServer]) -> None:
    world, server = shared
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    other = directory_for(server.url)
    assert [person.name for person in await other.present("demo")] == ["u_1"]
    assert await other.worker_of("demo") == world.worker.address
    await client.close()
    async with asyncio.timeout(WITHIN_S):
        while await other.present("demo") or await other.worker_of("demo"):
            await asyncio.sleep(0.01)
    await other.close()


async def test_without_redis_calls_go_on_and_operators_are_told(shared: tuple[World, RedisServer]) -> None:
    world, server = shared
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    server.stop()
    late, _ = await world.join("u_2", "site")
    await world.publish(late, "video/camera")
    await client.next(messages.TrackAdded)
    await until(lambda: not world.app[DIRECTORY].reachable)
    status, found = await world.get("/readyz")
    assert (status, found["ready"], found["directory"]) == (200, True, False)
    assert any("Redis" in note for note in found["notes"])
    async with world.session.get("/metrics") as response:
        assert "teleconsult_directory_reachable 0.0" in await response.text()
    server.start()
    await until(lambda: world.app[DIRECTORY].reachable)
    other = directory_for(server.url)
    assert {person.name for person in await other.present("demo")} == {"u_1", "u_2"}
    await other.close()


async def test_a_redis_that_is_not_there_at_the_start_stops_nobody(tmp_path: Path) -> None:
    async with make_world(tmp_path, redis_url=f"unix://{tmp_path}/none.sock") as world:
        client, _ = await world.join("u_1", "specialist")
        await world.publish(client, "video/camera")
        assert (await world.get("/readyz"))[0] == 200
