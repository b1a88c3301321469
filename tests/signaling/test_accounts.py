"""Signing in, staying signed in, and out."""

from __future__ import annotations

import stat

import pytest

from core import people
from signaling.accounts import revoke
from signaling.context import STRANGERS_BURST
from signaling.sign_in import FREE_PER_PERSON
from tests.signaling.conftest import PASSWORD, World


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


async def test_a_person_signs_in_and_is_told_who_they_are(world: World) -> None:
    tokens = await world.login("wang")
    assert set(tokens) == {"access_token", "expires_in", "refresh_token"}
    status, me = await world.get("/api/v1/me", tokens["access_token"])
    assert status == 200
    assert me == {
        "user_id": world.users["wang"].user_id,
        "username": "wang",
        "display_name": "Wang",
        "role": "specialist",
        "organisation": "Hospital",
    }


@pytest.mark.parametrize(
    ("username", "password"),
    [("wang", "wrong password"), ("nobody", PASSWORD), ("", ""), ("wang\x00", PASSWORD), ("WANG", PASSWORD)],
)
async def test_wrong_credentials_all_look_the_same(world: World, username: str, password: str) -> None:
    status, body = await world.post("/api/v1/auth/login", {"username": username, "password": password})
    assert (status, body["code"]) == (401, "wrong_credentials")
    assert body["status"] == 401
    assert ("login", "denied") in [row[1:] for row in await world.audit()]


async def test_guessing_is_slowed_down_per_person_and_time_heals(world: World) -> None:
    wrong = {"username": "wang", "password": "wrong password"}
    for _ in range(FREE_PER_PERSON):
        assert (await world.post("/api/v1/auth/login", wrong))[0] == 401
    async with world.session.post(
        "/api/v1/auth/login", json={"username": "wang", "password": PASSWORD}
    ) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1
        assert (await response.json())["code"] == "too_many_attempts"
    await world.login("li")
    world.clock.advance(5)
    await world.login("wang")


async def test_a_disabled_person_cannot_sign_in_or_refresh(world: World) -> None:
    tokens = await world.login("wang")
    await people.set_disabled(world.database, world.users["wang"].user_id, True)
    body = {"username": "wang", "password": PASSWORD}
    assert (await world.post("/api/v1/auth/login", body))[0] == 401
    status, problem = await world.post("/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert (status, problem["code"]) == (401, "account_closed")


async def test_refreshing_gives_new_tokens_and_a_stolen_one_ends_the_session(world: World) -> None:
    first = await world.login("wang")
    status, second = await world.post("/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    world.clock.advance(60)
    status, problem = await world.post("/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert (status, problem["code"]) == (401, "refresh_token_reused")
    assert (await world.get("/api/v1/me", second["access_token"]))[0] == 401
    assert (await world.post("/api/v1/auth/refresh", {"refresh_token": second["refresh_token"]}))[0] == 401


async def test_signing_out_voids_every_token_of_the_session_only(world: World) -> None:
    here, elsewhere = await world.login("wang"), await world.login("wang")
    assert (await world.post("/api/v1/auth/logout", {}, here["access_token"]))[0] == 204
    status, problem = await world.get("/api/v1/me", here["access_token"])
    assert (status, problem["code"]) == (401, "token_revoked")
    assert (await world.post("/api/v1/auth/refresh", {"refresh_token": here["refresh_token"]}))[0] == 401
    assert (await world.get("/api/v1/me", elsewhere["access_token"]))[0] == 200


async def test_a_revoked_person_is_out_at_once_everywhere(world: World) -> None:
    tokens = await world.login("wang")
    status, joined = await world.post("/api/v1/rooms/demo/join", None, tokens["access_token"])
    assert status == 200
    client = await world.connect(joined["token"])
    await revoke(world.context, world.users["wang"].user_id)
    assert await client.closed() == 4401
    assert (await world.get("/api/v1/me", tokens["access_token"]))[0] == 401


async def test_the_recorder_signs_in_with_the_secret_in_a_file_only_its_owner_reads(world: World) -> None:
    path = world.settings.service_secret_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text().strip()
    status, body = await world.post("/api/v1/auth/service", {"name": "recorder", "secret": secret})
    assert status == 200
    assert set(body) == {"access_token", "expires_in"}
    status, found = await world.get("/api/v1/consultations?state=open", body["access_token"])
    assert [item["room"] for item in found] == ["demo"]
    for wrong in ({"name": "recorder", "secret": "x"}, {"name": "other", "secret": secret}):
        assert (await world.post("/api/v1/auth/service", wrong))[0] == 401


async def test_an_expired_access_token_says_so(world: World) -> None:
    tokens = await world.login("wang")
    world.clock.advance(700)
    status, problem = await world.get("/api/v1/me", tokens["access_token"])
    assert (status, problem["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 422),
        (b"not json", "application/json", 422),
        (b'{"username": "a", "password": "b", "more": 1}', "application/json", 422),
        (b"username=wang", "application/x-www-form-urlencoded", 415),
        (b'{"username": "wang", "password": "x"}', "text/plain", 415),
        (b"\xff\xfe", "application/json", 400),
        (b"x" * 300_000, "application/json", 413),
    ],
)
async def test_bodies_that_are_not_as_described_get_a_problem_document(
    world: World, body: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}
    async with world.session.post("/api/v1/auth/login", data=body, headers=headers) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
        problem = await response.json()
        assert problem["status"] == status
        assert problem["code"]


async def test_every_refusal_is_written_down_with_who_and_what(world: World) -> None:
    token = await world.token("wang")
    await world.post(f"/api/v1/consultations/{world.consultation.consultation_id}/close", None, token)
    await world.get("/api/v1/devices", token)
    await world.get("/api/v1/consultations/c_none", token)
    await world.get("/api/v1/me", "nonsense")
    wang = world.users["wang"].user_id
    assert [row for row in await world.audit() if row[2] != "ok"] == [
        (wang, "close", "role_may_not"),
        (wang, "list_devices", "role_may_not"),
        (wang, "show_consultation", "consultation_not_found"),
        ("unknown", "me", "token_invalid"),
    ]


async def test_callers_nobody_knows_cannot_fill_the_audit_trail(world: World) -> None:
    for _ in range(STRANGERS_BURST + 30):
        assert (await world.get("/api/v1/me"))[0] == 401
    noted = [row for row in await world.audit() if row[0] == "unknown"]
    assert STRANGERS_BURST - 10 <= len(noted) <= STRANGERS_BURST + 10
    await world.get("/api/v1/devices", await world.token("wang"))
    assert (await world.audit())[-1][2] == "role_may_not"
