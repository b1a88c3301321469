"""A link counts once; but whoever used it, and lost the answer, may ask again for a moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import invitations
from signaling.accounts import revoke
from tests.signaling.conftest import World

REDEEM = "/api/v1/invitations/redeem"
SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


async def _redeem(world: World, token: str, **more: Any) -> tuple[int, Any]:
    return await world.post(REDEEM, {"token": token, **more})


def _sub(world: World, redeemed: Any) -> str:
    return world.context.tokens.verify_access(redeemed["access_token"]).sub


async def test_the_same_client_may_ask_again_and_is_the_same_guest(world: World) -> None:
    _, token = await world.invite()
    _, lost = await _redeem(world, token, name="Dr One", client_secret=SECRET)
    world.clock.advance(50)
    status, again = await _redeem(world, token, name="Dr Two", client_secret=SECRET)
    assert status == 200
    assert _sub(world, again) == _sub(world, lost)
    assert world.context.tokens.verify_access(again["access_token"]).name == "Dr One"


@pytest.mark.parametrize("more", [{}, {"client_secret": OTHER}])
async def test_nobody_else_may(world: World, more: Any) -> None:
    _, token = await world.invite()
    assert (await _redeem(world, token, client_secret=SECRET))[0] == 200
    status, problem = await _redeem(world, token, **more)
    assert (status, problem["code"]) == (410, "invitation_used")


async def test_without_a_secret_the_first_time_there_is_no_second(world: World) -> None:
    _, token = await world.invite()
    assert (await _redeem(world, token))[0] == 200
    for more in ({}, {"client_secret": SECRET}):
        status, problem = await _redeem(world, token, **more)
        assert (status, problem["code"]) == (410, "invitation_used")


async def test_after_a_minute_nobody_may(world: World) -> None:
    _, token = await world.invite()
    await _redeem(world, token, client_secret=SECRET)
    world.clock.advance(61)
    status, problem = await _redeem(world, token, client_secret=SECRET)
    assert (status, problem["code"]) == (410, "invitation_used")


async def test_asking_again_does_not_prolong_the_moment(world: World) -> None:
    _, token = await world.invite()
    await _redeem(world, token, client_secret=SECRET)
    world.clock.advance(40)
    assert (await _redeem(world, token, client_secret=SECRET))[0] == 200
    world.clock.advance(30)
    assert (await _redeem(world, token, client_secret=SECRET))[0] == 410


async def test_a_revoked_guest_may_not(world: World) -> None:
    invitation, token = await world.invite()
    await _redeem(world, token, client_secret=SECRET)
    guest_id = await invitations.revoke_invitation(
        world.database, invitation.consultation_id, invitation.invitation_id
    )
    assert guest_id is not None
    await revoke(world.context, guest_id)
    status, problem = await _redeem(world, token, client_secret=SECRET)
    assert (status, problem["code"]) == (410, "invitation_revoked")


async def test_of_several_at_once_one_guest_comes_to_be(world: World) -> None:
    _, token = await world.invite()
    answers = await asyncio.gather(*(_redeem(world, token, client_secret=SECRET) for _ in range(4)))
    assert {status for status, _ in answers} == {200}
    assert len({_sub(world, answer) for _, answer in answers}) == 1
    _, token = await world.invite()
    answers = await asyncio.gather(
        *(_redeem(world, token, client_secret=f"{number:032d}") for number in range(4))
    )
    assert sorted(status for status, _ in answers) == [200, 410, 410, 410]


async def test_a_secret_that_could_be_guessed_is_refused(world: World) -> None:
    _, token = await world.invite()
    status, problem = await _redeem(world, token, client_secret="short")
    assert (status, problem["code"]) == (422, "invalid_body")
