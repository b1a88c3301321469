"""Where rooms are placed and who is present: one contract, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from core.directory import Directory, MemoryDirectory
from core.errors import ConfigError, Unavailable
from core.messages import Participant
from core.redis_directory import RedisDirectory, directory_for
from tests.support.redis import RedisServer, running_redis

WITHIN_S = 15.0
KEPT_MS = 600
REPEAT_S = 0.1


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await _value(look()):
            await asyncio.sleep(0.01)


async def _value(found: Any) -> Any:
    return await found if asyncio.iscoroutine(found) else found


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("r")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def directory(request: pytest.FixtureRequest) -> AsyncIterator[Directory]:
    if request.param == "memory":
        yield MemoryDirectory()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    await server.ready()
    found = directory_for(server.url)
    yield found
    assert found.reachable
    await found.close()


@contextlib.asynccontextmanager
async def shared(server: RedisServer) -> AsyncIterator[RedisDirectory]:
    """One process's directory, running, whose entries expire soon."""
    client = Redis.from_url(server.url, decode_responses=True, socket_timeout=2)
    found = RedisDirectory(client, kept_ms=KEPT_MS, repeat_s=REPEAT_S)
    running = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await found.close()


def person(number: int, name: str = "") -> Participant:
    return Participant(participant_id=f"p_{number}", name=name or str(number), role="site")


# --- the contract ------------------------------------------------------------------------


async def test_rooms_go_to_the_emptiest_worker_and_stay_there(directory: Directory) -> None:
    placed = [await directory.place_room(room, ["w1", "w2"]) for room in ("a", "b", "c")]
    assert sorted(placed[:2]) == ["w1", "w2"]
    assert [await directory.place_room(room, ["w2", "w1"]) for room in ("a", "b", "c")] == placed


async def test_a_room_moves_when_its_worker_is_gone(directory: Directory) -> None:
    await directory.place_room("a", ["w1"])
    assert await directory.place_room("a", ["w2"]) == "w2"
    assert await directory.rooms_of("w2") == {"a"}
    assert await directory.rooms_of("w1") == frozenset()
    await directory.release_room("a")
    assert await directory.worker_of("a") is None


async def test_a_worker_that_is_gone_does_not_count_for_those_that_are_there(directory: Directory) -> None:
    for room in ("a", "b"):
        await directory.place_room(room, ["gone"])
    await directory.place_room("c", ["w1", "w2"])
    await directory.place_room("d", ["w1", "w2"])
    assert {await directory.worker_of("c"), await directory.worker_of("d")} == {"w1", "w2"}


async def test_without_workers_placing_says_try_again(directory: Directory) -> None:
    with pytest.raises(Unavailable) as refused:
        await directory.place_room("a", [])
    assert refused.value.code == "no_worker"


async def test_presence_lists_who_entered_and_did_not_leave_in_order_of_entering(
    directory: Directory,
) -> None:
    people = [person(number, 'Dr Wang 王 "quoted"') for number in range(12)]
    for one in people:
        await directory.enter("a", one)
    await directory.leave("a", "p_1")
    await directory.leave("a", "p_unknown")
    assert await directory.present("a") == (people[0], *people[2:])
    assert await directory.present("b") == ()


async def test_entering_twice_replaces_and_keeps_the_place(directory: Directory) -> None:
    await directory.enter("a", person(0))
    await directory.enter("a", person(1))
    await directory.enter("a", person(0, "renamed"))
    assert await directory.present("a") == (person(0, "renamed"), person(1))


async def test_one_room_has_one_worker_whoever_asks_at_once(directory: Directory) -> None:
    orders = [["w1", "w2", "w3"], ["w3", "w2", "w1"], ["w2", "w3", "w1"]] * 10
    placed = await asyncio.gather(*(directory.place_room("a", order) for order in orders))
    assert len(set(placed)) == 1


# --- what only a shared one can show -----------------------------------------------------


async def test_processes_see_each_others_rooms_and_people(redis_server: RedisServer) -> None:
    await redis_server.ready()
    async with shared(redis_server) as one, shared(redis_server) as other:
        placed = await one.place_room("a", ["w1", "w2"])
        assert await other.place_room("a", ["w2", "w1"]) == placed
        await one.enter("a", person(1))
        await other.enter("a", person(2))
        assert await one.present("a") == await other.present("a") == (person(1), person(2))


async def test_what_is_in_use_stays_and_what_a_killed_process_left_expires(redis_server: RedisServer) -> None:
    await redis_server.ready()
    killed = RedisDirectory(Redis.from_url(redis_server.url, decode_responses=True), kept_ms=KEPT_MS)
    await killed.place_room("left", ["w1"])
    await killed.enter("left", person(1))
    async with shared(redis_server) as alive:
        await alive.place_room("used", ["w1"])
        await alive.enter("used", person(2))
        await until(lambda: _gone(alive, "left"))
        assert await alive.worker_of("used") == "w1"
        assert await alive.present("used") == (person(2),)


async def _gone(directory: Directory, room: str) -> bool:
    return await directory.worker_of(room) is None and await directory.present(room) == ()


async def test_a_process_that_ends_takes_its_rooms_and_people_with_it(redis_server: RedisServer) -> None:
    await redis_server.ready()
    async with shared(redis_server) as staying:
        async with shared(redis_server) as ending:
            await ending.place_room("a", ["w1"])
            await ending.enter("a", person(1))
        assert await _gone(staying, "a")


async def test_without_redis_a_process_goes_on_with_what_it_knows_and_tells_it_again_later(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await redis_server.ready()
    async with shared(redis_server) as one:
        await one.place_room("a", ["w1", "w2"])
        await one.enter("a", person(1))
        redis_server.stop()
        await until(lambda: not one.reachable)
        assert await one.place_room("a", ["w1", "w2"]) == await one.worker_of("a")
        await one.place_room("b", ["w1"])
        await one.enter("a", person(2))
        await one.leave("a", "p_1")
        assert await one.present("a") == (person(2),)
        redis_server.start()
        await until(lambda: one.reachable)
        async with shared(redis_server) as other:
            assert await other.worker_of("b") == "w1"
            assert await other.present("a") == (person(2),)


async def test_a_redis_that_hangs_delays_one_call_and_no_other(redis_server: RedisServer) -> None:
    await redis_server.ready()
    client = Redis.from_url(redis_server.url, decode_responses=True, socket_timeout=0.3)
    one = RedisDirectory(client, kept_ms=KEPT_MS)
    await one.place_room("a", ["w1"])
    assert redis_server.process is not None
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(WITHIN_S):
            assert await one.place_room("a", ["w1"]) == "w1"
        async with asyncio.timeout(0.25):
            for room in range(100):
                await one.place_room(str(room), ["w1"])
        assert not one.reachable
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
        await client.aclose()


def test_a_redis_url_that_is_none_names_the_setting() -> None:
    with pytest.raises(ConfigError, match="redis_url"):
        directory_for("redis://host:no-port/0")
