"""Codes besides passwords, and changing a password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from core.people import set_totp_secret
from signaling.sign_in import FREE_CODES
from signaling.totp import STEP_S, matching_step
from tests.signaling.conftest import PASSWORD, World, make_world

LOGIN = "/api/v1/auth/login"
SECRET = pyotp.random_base32()
NEW = "another good password"


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """On both databases; Zhao and Wang have a second factor, and the administrator has not the one needed."""
    async with make_world(tmp_path, database_url=database_url, totp_roles=["auditor", "admin"]) as made:
        for name in ("zhao", "wang"):
            await set_totp_secret(made.database, made.users[name].user_id, SECRET)
        yield made


def code(world: World, steps: int = 0) -> str:
    now_s = world.clock.unix_ns() // 10**9
    return pyotp.TOTP(SECRET).at(now_s + steps * STEP_S)


async def login(world: World, name: str = "zhao", **more: Any) -> tuple[int, str | None]:
    body = {"username": name, "password": PASSWORD} | more
    status, answer = await world.post(LOGIN, body)
    return status, answer.get("code")


# --- codes -------------------------------------------------------------------------------


def test_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC's, appendix B, six of its eight digits
    assert matching_step(secret, "287082", 59) == 1
    assert matching_step(secret, "081804", 1111111109) == 1111111109 // STEP_S
    assert matching_step(secret, "081 804", 1111111109 + STEP_S) == 1111111109 // STEP_S
    assert matching_step(secret, "081804", 1111111109 + 2 * STEP_S) is None
    for nonsense in ("", "28708", "２８７０８２", "28708a", "-28708"):
        assert matching_step(secret, nonsense, 59) is None


async def test_the_password_alone_is_asked_for_the_code_and_is_no_failure(world: World) -> None:
    for _ in range(10):
        assert await login(world) == (401, "totp_required")
    assert await login(world, code=code(world)) == (200, None)


async def test_a_wrong_password_is_never_asked_for_a_code(world: World) -> None:
    assert await login(world, password="wrong password", code=code(world)) == (401, "wrong_credentials")
    assert await login(world, password="wrong password") == (401, "wrong_credentials")


async def test_a_code_counts_once(world: World) -> None:
    used = code(world)
    assert await login(world, code=used) == (200, None)
    assert await login(world, code=used) == (401, "wrong_credentials")
    world.clock.advance(STEP_S)
    assert await login(world, code=code(world)) == (200, None)


async def test_an_older_code_does_not_count_after_a_newer_one(world: World) -> None:
    older, newer = code(world, -1), code(world)
    assert await login(world, code=newer) == (200, None)
    assert await login(world, code=older) == (401, "wrong_credentials")


async def test_guessing_codes_is_slowed_down_and_time_heals(world: World) -> None:
    wrong = f"{(int(code(world)) + 1) % 1_000_000:06d}"
    for _ in range(FREE_CODES):
        world.clock.advance(2)  # the password's own throttle is not what is tried here
        assert (await login(world, code=wrong))[0] in (401, 429)
    assert await login(world, code=code(world)) == (429, "too_many_attempts")
    world.clock.advance(60)
    assert await login(world, code=code(world)) == (200, None)


async def test_everybody_with_a_second_factor_needs_it_and_nobody_else(world: World) -> None:
    assert await login(world, "wang") == (401, "totp_required")
    assert await login(world, "li") == (200, None)
    assert await login(world, "li", code="000000") == (200, None)


async def test_a_role_that_needs_a_second_factor_is_told_how_to_get_one(world: World) -> None:
    status, problem = await world.post(LOGIN, {"username": "root", "password": PASSWORD})
    assert (status, problem["code"]) == (403, "totp_not_set_up")
    assert "teleconsult admin user totp root" in problem["detail"]
    assert (world.users["root"].user_id, "login", "totp_not_set_up") in await world.audit()
    assert await login(world, "root", password="wrong password") == (401, "wrong_credentials")


async def test_neither_secret_nor_code_is_logged(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    right = code(world)
    await login(world, code=right)
    await login(world, code=right)
    shown = capsys.readouterr().out + str(await world.audit()) + repr(world.users["zhao"])
    assert "login" in shown
    assert SECRET not in shown
    assert f"{right}" not in shown.replace("_", "")


# --- passwords ---------------------------------------------------------------------------


async def change(world: World, token: str, password: str = PASSWORD, new: str = NEW) -> tuple[int, Any]:
    body = {"password": password, "new_password": new}
    status, answer = await world.post("/api/v1/auth/password", body, token)
    return status, answer and answer["code"]


async def test_changing_the_password_keeps_this_session_and_ends_the_others(world: World) -> None:
    here, there = await world.login("li"), await world.login("li")
    _, joined = await world.post("/api/v1/rooms/demo/join", None, there["access_token"])
    elsewhere = await world.connect(joined["token"])
    assert await change(world, here["access_token"]) == (204, None)
    assert (await world.get("/api/v1/me", here["access_token"]))[0] == 200
    assert (await world.get("/api/v1/me", there["access_token"]))[0] == 401
    assert await elsewhere.closed() == 4401
    for tokens, status in ((here, 200), (there, 401)):
        body = {"refresh_token": tokens["refresh_token"]}
        assert (await world.post("/api/v1/auth/refresh", body))[0] == status
    assert await login(world, "li") == (401, "wrong_credentials")
    assert await login(world, "li", password=NEW) == (200, None)


@pytest.mark.parametrize(
    ("password", "new", "refusal"),
    [
        ("wrong password", NEW, (403, "wrong_credentials")),
        (PASSWORD, "short", (422, "bad_password")),
        (PASSWORD, "x" * 1025, (422, "bad_password")),
        (PASSWORD, PASSWORD, (422, "same_password")),
        (PASSWORD, "x" * 3000, (422, "invalid_body")),
    ],
)
async def test_a_change_that_is_refused_changes_nothing(
    world: World, password: str, new: str, refusal: tuple[int, str]
) -> None:
    here, there = await world.login("li"), await world.login("li")
    assert await change(world, here["access_token"], password, new) == refusal
    assert (await world.get("/api/v1/me", there["access_token"]))[0] == 200
    assert await login(world, "li") == (200, None)


async def test_a_stolen_session_cannot_guess_the_password_at_leisure(world: World) -> None:
    token = await world.token("li")
    answers = [await change(world, token, "wrong password") for _ in range(10)]
    assert (429, "too_many_attempts") in answers
