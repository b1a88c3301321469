"""Signing in, refreshing and signing out at the same time: what ended stays ended. On both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import people, sessions
from signaling import accounts
from signaling.accounts import revoke
from tests.signaling.conftest import PASSWORD, World


@pytest.fixture
def world(everywhere: World) -> World:
    return everywhere


async def test_a_refresh_that_was_under_way_does_not_outlive_the_sign_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await world.login("wang")
    find_user, reached, go_on = people.find_user, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **named: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await find_user(*args, **named)

    monkeypatch.setattr(accounts.people, "find_user", slow)
    refresh = asyncio.create_task(
        world.post("/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    )
    await reached.wait()
    assert (await world.post("/api/v1/auth/logout", None, tokens["access_token"]))[0] == 204
    world.clock.advance(1)
    go_on.set()
    status, fresh = await refresh
    if status == 200:
        assert (await world.get("/api/v1/me", fresh["access_token"]))[0] == 401


async def test_a_session_that_ended_does_not_come_back_by_a_refresh(world: World) -> None:
    """As when a refresh's row is written after those of its session were deleted."""
    session = await sessions.start_session(world.database, world.users["wang"].user_id)
    await revoke(world.context, session.session_id)
    status, problem = await world.post("/api/v1/auth/refresh", {"refresh_token": session.refresh_token})
    assert (status, problem["code"]) == (401, "session_expired")


@pytest.mark.parametrize("what", ["password", "disabled"])
async def test_a_sign_in_that_was_under_way_does_not_outlive_a_new_password_or_the_account(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    verify = world.context.passwords.verify
    user = world.users["wang"]

    async def change_meanwhile(password_hash: str | None, password: str) -> bool:
        right = await verify(password_hash, password)
        if what == "password":
            new_hash = await world.context.passwords.hash("another password")
            await people.set_password_hash(world.database, user.user_id, new_hash)
        else:
            await people.set_disabled(world.database, user.user_id, True)
        await sessions.end_user_sessions(world.database, user.user_id)
        await revoke(world.context, user.user_id)
        world.clock.advance(1)
        return right

    monkeypatch.setattr(world.context.passwords, "verify", change_meanwhile)
    status, problem = await world.post("/api/v1/auth/login", {"username": "wang", "password": PASSWORD})
    assert (status, problem["code"]) == (401, "wrong_credentials")
    async with world.database.reading() as reading:
        from sqlalchemy import func, select

        from core.tables import RefreshTokenRow

        left = select(func.count()).where(RefreshTokenRow.user_id == user.user_id)
        assert await reading.scalar(left) == 0


async def test_signing_out_many_times_at_once_is_as_good_as_once(world: World) -> None:
    for _ in range(3):
        token = await world.token("wang")
        answers = await asyncio.gather(*(world.post("/api/v1/auth/logout", None, token) for _ in range(8)))
        assert {status for status, _ in answers} <= {204, 401}
