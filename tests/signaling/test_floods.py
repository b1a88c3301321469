"""Nobody fills the trail, the disk's directory or the queue for passwords."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import argon2
import pytest

from core import passwords
from core.clock import NS_PER_S
from core.errors import Unavailable
from core.passwords import Passwords
from signaling.context import STRANGERS_BURST, STRANGERS_PER_S
from tests.signaling.conftest import World, make_world
from tests.signaling.room_people import person


def _bound(world: World, since_ns: int) -> float:
    """What the trail may hold after that time; requests of a test take some."""
    return STRANGERS_BURST + 1 + STRANGERS_PER_S * (world.clock.monotonic_ns() - since_ns) / NS_PER_S


async def _refusals(world: World) -> int:
    return sum(outcome != "ok" for _, _, outcome in await world.audit())


async def test_somebody_who_is_refused_again_and_again_does_not_fill_the_trail(world: World) -> None:
    since_ns = world.clock.monotonic_ns()
    token = await world.token("mallory")
    path = f"/api/v1/consultations/{world.consultation.consultation_id}"
    for _ in range(STRANGERS_BURST + 100):
        assert (await world.get(path, token))[0] == 404
    assert await _refusals(world) <= _bound(world, since_ns)
    other = await world.token("wu")
    before = await _refusals(world)
    assert (await world.get(path, other))[0] == 404
    assert await _refusals(world) == before + 1, "somebody else's refusal is written down all the same"


async def test_sockets_that_are_refused_do_not_fill_it_either(world: World) -> None:
    since_ns = world.clock.monotonic_ns()
    token = person(world, "specialist", con="c_gone").token
    for _ in range(STRANGERS_BURST + 60):
        client = await world.connect(token)
        assert await client.closed() == 4404
    assert await _refusals(world) <= _bound(world, since_ns)


async def test_sign_ins_of_nobody_do_not_fill_it_from_however_many_addresses(tmp_path: Path) -> None:
    async with make_world(tmp_path, trusted_proxies=["127.0.0.1"]) as world:
        since_ns = world.clock.monotonic_ns()
        body = {"username": "nobody", "password": "x"}
        for number in range(STRANGERS_BURST + 100):
            headers = {"X-Forwarded-For": f"192.0.2.{number}", "X-Forwarded-Proto": "https"}
            async with world.session.post("/api/v1/auth/login", json=body, headers=headers) as answer:
                assert answer.status == 401
        assert await _refusals(world) <= _bound(world, since_ns)


async def test_passwords_that_wait_to_be_checked_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    go_on = threading.Event()

    def slow(*_: object) -> bool:
        return go_on.wait(10)

    monkeypatch.setattr(checker, "_verify", slow)
    tasks = [asyncio.create_task(checker.verify(None, "x")) for _ in range(passwords.MAX_WAITING + 10)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert all(isinstance(task.exception(), Unavailable) for task in done)
    go_on.set()
    await asyncio.wait(waiting)
    refused = sum(task.exception() is not None for task in tasks)
    assert 1 <= refused <= 10
    assert await checker.verify(None, "x"), "and then there is room again"
