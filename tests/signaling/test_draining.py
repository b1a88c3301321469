"""The end of a signaling process: nothing new begins, what runs may finish, everyone is told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core import messages
from core.config import Settings
from core.stopping import Stopping
from core.worker_api import WorkerDraining
from signaling.draining import DRAIN, drain
from signaling.main import run
from signaling.starting import database_place
from tests.signaling.conftest import RoomClient, World, bearer, make_world
from tests.signaling.worker_double import WorkerDouble

WITHIN_S = 20.0


async def test_everyone_in_a_room_is_told_to_come_back_and_nobody_is_shown_as_gone(world: World) -> None:
    clients = [(await world.join(name, "specialist"))[0] for name in ("u_1", "u_2", "u_3")]
    await asyncio.wait_for(drain(world.app, 10.0), WITHIN_S)
    for client in clients:
        assert client.socket.close_code == 1001
        assert not [message for message in client.seen if message.type == "participant_left"]


async def test_nothing_new_begins_while_draining_and_the_answer_says_when_to_try_again(world: World) -> None:
    token = (await world.login("wang"))["access_token"]
    site = (await world.login("li"))["access_token"]
    world.app[DRAIN].begun = True
    begins: list[tuple[str, str, str | None]] = [
        ("POST", "/api/v1/rooms/demo/join", token),
        ("POST", "/api/v1/consultations", site),
        ("POST", "/api/v1/invitations/redeem", None),
        ("POST", "/whip/demo/ultrasound", token),
        ("POST", "/whep/demo/ultrasound", token),
        ("GET", "/ws?room=demo", None),
    ]
    for method, path, given in begins:
        async with world.session.request(method, path, headers=bearer(given)) as response:
            assert response.status == 503, path
            assert (await response.json())["code"] == "draining"
            assert int(response.headers["Retry-After"]) > 0
    assert (await world.get("/api/v1/me", token))[0] == 200, "what needs no room is answered to the end"
    assert (await world.get("/healthz"))[0] == 200


async def test_a_draining_process_is_not_ready(world: World) -> None:
    world.app[DRAIN].begun = True
    status, found = await world.get("/readyz")
    assert (status, found["ready"], found["draining"]) == (503, False, True)
    async with world.session.get("/metrics") as response:
        assert "teleconsult_draining 1.0" in await response.text()


async def test_an_answer_under_way_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(*_args: Any, **_kwargs: Any) -> None:
        asked.set()
        await may_answer.wait()

    token = (await world.login("wang"))["access_token"]
    monkeypatch.setattr("core.people.find_user", slow)
    asking = asyncio.create_task(world.get("/api/v1/me", token))
    await asyncio.wait_for(asked.wait(), WITHIN_S)
    draining = asyncio.create_task(drain(world.app, WITHIN_S))
    while not world.app[DRAIN].begun:
        await asyncio.sleep(0)
    assert not draining.done()
    may_answer.set()
    await asyncio.wait_for(draining, WITHIN_S)
    assert (await asking)[0] in (200, 404)


async def test_draining_ends_when_its_time_is_over_whatever_still_runs(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    started = time.monotonic()
    with world.app[DRAIN].answers:  # somebody whose answer never ends
        await drain(world.app, 0.3)
    assert 0.25 < time.monotonic() - started < 5
    assert client.socket.close_code in (1001, None)


def test_being_asked_twice_means_at_once() -> None:
    stopping = Stopping()
    stopping.ask()
    assert stopping.asked.is_set()
    assert not stopping.at_once.is_set()
    stopping.ask()
    assert stopping.at_once.is_set()


# --- a media worker that is about to end -------------------------------------------------


@asynccontextmanager
async def with_two_workers(tmp_path: Path) -> AsyncIterator[tuple[World, WorkerDouble]]:
    """`world.worker` runs; the other one does not yet."""
    second = WorkerDouble(tmp_path / "second.sock")
    async with make_world(tmp_path, second=second) as world:
        try:
            yield world, second
        finally:
            await second.stop()


async def _connected(world: World, count: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while len(world.context.service.pool.connected) < count:
            await asyncio.sleep(0.005)


async def _moved(client: RoomClient, world: World, old: WorkerDouble, new: WorkerDouble) -> None:
    """Told why, publishing anew lands on the other worker, and the old one is empty."""
    assert (await client.next(messages.MediaReset)).reason == "worker_draining"
    await world.publish(client, "video/camera")
    assert new.only("publish")
    async with asyncio.timeout(WITHIN_S):
        while old.transports:
            await asyncio.sleep(0.005)


async def test_rooms_move_to_another_worker_when_theirs_is_about_to_end(tmp_path: Path) -> None:
    async with with_two_workers(tmp_path) as (world, second):
        client, _ = await world.join("u_1", "specialist")
        await world.publish(client, "video/camera")
        await second.start()
        await _connected(world, 2)
        await world.worker.emit(WorkerDraining())
        await _moved(client, world, world.worker, second)


async def test_with_nowhere_to_go_calls_go_on_until_another_worker_comes(tmp_path: Path) -> None:
    async with with_two_workers(tmp_path) as (world, second):
        client, _ = await world.join("u_1", "specialist")
        await world.publish(client, "video/camera")
        await world.worker.emit(WorkerDraining())
        async with asyncio.timeout(WITHIN_S):
            while world.context.service.pool.placeable:
                await asyncio.sleep(0.005)
        assert (await world.get("/readyz"))[1]["worker"] is False
        assert world.worker.only("publish"), "what runs, runs on"
        await second.start()
        await _moved(client, world, world.worker, second)


async def test_a_worker_that_came_back_takes_rooms_again(tmp_path: Path) -> None:
    async with with_two_workers(tmp_path) as (world, _):
        await world.worker.emit(WorkerDraining())
        await world.worker.crash()
        await world.worker.start()
        async with asyncio.timeout(WITHIN_S):
            while not world.context.service.pool.placeable:
                await asyncio.sleep(0.005)
        client, _ = await world.join("u_1", "specialist")
        await world.publish(client, "video/camera")


# --- the process -------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_answers(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                async with session.get(url) as response:
                    return await response.json() | {"status": response.status}
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)


async def test_a_database_that_is_not_there_yet_is_waited_for_and_readyz_says_so(tmp_path: Path) -> None:
    port, database_port = _free_port(), _free_port()
    settings = Settings(
        data_dir=tmp_path, port=port, database_url=f"postgresql://me:secret@127.0.0.1:{database_port}/consult"
    ).resolve_paths()
    running = asyncio.create_task(run(settings, []))
    async with aiohttp.ClientSession() as session:
        found = await _until_answers(session, f"http://127.0.0.1:{port}/readyz")
        assert found["status"] == 503
        assert found["waiting_for"] == [f"PostgreSQL at 127.0.0.1:{database_port}, database consult"]
        assert (await _until_answers(session, f"http://127.0.0.1:{port}/healthz"))["status"] == 200
        assert (await _until_answers(session, f"http://127.0.0.1:{port}/api/v1/me"))["status"] == 503
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, WITHIN_S)


def test_the_database_is_named_without_its_password() -> None:
    settings = Settings(database_url="postgresql://me:secret@db.local/consult")
    assert database_place(settings) == "PostgreSQL at db.local:5432, database consult"
