"""Guests: invited by link, once, to one consultation."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from core import messages
from core.invitations import MAX_INVITATIONS
from core.people import find_user
from signaling.sign_in import FREE_PER_PERSON
from tests.signaling.callers import other_consultation
from tests.signaling.conftest import World

REDEEM = "/api/v1/invitations/redeem"


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


def invitations(world: World) -> str:
    return f"/api/v1/consultations/{world.consultation.consultation_id}/invitations"


async def invited(world: World, **more: Any) -> dict[str, Any]:
    """An invitation made over HTTP; its `token` taken from the link."""
    body = {"name": "Dr Guest", "organisation": "Far away", "lobby": False} | more
    status, made = await world.post(invitations(world), body, await world.token("li"))
    assert status == 201, made
    return {**made, "token": made["url"].rpartition("/")[2]}


async def states(world: World) -> list[str]:
    _, listed = await world.get(invitations(world), await world.token("li"))
    return [one["state"] for one in listed]


async def test_a_link_holds_its_token_in_the_fragment_and_is_shown_once(world: World) -> None:
    made = await invited(world)
    assert made["url"] == f"{world.base_url}/#/invite/{made['token']}"
    assert len(made["token"]) >= 40
    _, listed = await world.get(invitations(world), await world.token("li"))
    assert listed == [
        {
            "invitation_id": made["invitation_id"],
            "name": "Dr Guest",
            "organisation": "Far away",
            "lobby": False,
            "state": "open",
            "expires_at_us": made["expires_at_us"],
        }
    ]
    assert made["token"] not in str(listed)


async def test_a_guest_comes_in_by_the_link_and_is_called_what_the_site_wrote(world: World) -> None:
    status, guest = await world.post(REDEEM, {"token": (await invited(world))["token"]})
    assert status == 200
    assert (guest["room"], guest["site"]) == ("demo", "Clinic")
    assert guest["consultation_id"] == world.consultation.consultation_id
    _, me = await world.get("/api/v1/me", guest["access_token"])
    assert (me["display_name"], me["organisation"], me["role"]) == ("Dr Guest", "Far away", "specialist")
    status, joined = await world.post("/api/v1/rooms/demo/join", None, guest["access_token"])
    assert status == 200
    claims = world.context.tokens.verify_room(joined["token"])
    assert (claims.org, claims.org_name, claims.grants.lobby, claims.grants.host) == (
        "",
        "Far away",
        False,
        False,
    )
    assert claims.grants.chat
    _, seen = await world.get("/api/v1/consultations", guest["access_token"])
    assert [one["consultation_id"] for one in seen] == [world.consultation.consultation_id]


async def test_a_guest_may_say_how_they_are_called(world: World) -> None:
    body = {"token": (await invited(world))["token"], "name": "  Dr   Zhāng "}
    _, guest = await world.post(REDEEM, body)
    _, me = await world.get("/api/v1/me", guest["access_token"])
    assert me["display_name"] == "Dr Zhāng"


async def test_a_guest_refreshes_and_signs_out_like_everybody(world: World) -> None:
    guest = await world.guest()
    status, fresh = await world.post("/api/v1/auth/refresh", {"refresh_token": guest["refresh_token"]})
    assert status == 200
    assert world.context.tokens.verify_access(fresh["access_token"]).con == world.consultation.consultation_id
    assert (await world.post("/api/v1/auth/logout", None, fresh["access_token"]))[0] == 204
    assert (await world.get("/api/v1/me", fresh["access_token"]))[0] == 401


async def test_a_link_counts_once_even_when_it_is_followed_twice_at_the_same_time(world: World) -> None:
    token = (await invited(world))["token"]
    answers = await asyncio.gather(*(world.post(REDEEM, {"token": token}) for _ in range(FREE_PER_PERSON)))
    assert Counter(status for status, _ in answers) == {200: 1, 410: FREE_PER_PERSON - 1}
    assert {body["code"] for status, body in answers if status == 410} == {"invitation_used"}
    assert await states(world) == ["used"]


async def test_unknown_expired_and_revoked_links_each_say_what_they_are(world: World) -> None:
    status, problem = await world.post(REDEEM, {"token": "nonsense"})
    assert (status, problem["code"]) == (404, "invitation_unknown")
    old, revoked = await invited(world, minutes=1), await invited(world)
    path = f"{invitations(world)}/{revoked['invitation_id']}"
    assert (await world.delete(path, await world.token("li")))[0] == 204
    world.clock.advance(61)
    for made, code in ((old, "invitation_expired"), (revoked, "invitation_revoked")):
        status, problem = await world.post(REDEEM, {"token": made["token"]})
        assert (status, problem["code"]) == (410, code)
    assert sorted(await states(world)) == ["expired", "revoked"]


async def test_revoking_a_used_link_removes_its_guest_for_good(world: World) -> None:
    made = await invited(world)
    _, guest = await world.post(REDEEM, {"token": made["token"]})
    _, joined = await world.post("/api/v1/rooms/demo/join", None, guest["access_token"])
    client = await world.connect(joined["token"])
    await client.next(messages.Welcome)
    path = f"{invitations(world)}/{made['invitation_id']}"
    assert (await world.delete(path, await world.token("li")))[0] == 204
    assert await client.closed() == 4401
    assert (await world.get("/api/v1/me", guest["access_token"]))[0] == 401
    assert (await world.post("/api/v1/auth/refresh", {"refresh_token": guest["refresh_token"]}))[0] == 401
    again = await world.connect(joined["token"])
    assert await again.closed() == 4401
    assert (await world.delete(path, await world.token("li")))[0] == 204


async def test_ending_the_consultation_ends_its_guests_and_its_links(world: World) -> None:
    guest, other = await world.guest(), await world.guest(await other_consultation(world))
    unused = await invited(world)
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/close"
    assert (await world.post(path, None, await world.token("li")))[0] == 200
    assert (await world.get("/api/v1/me", guest["access_token"]))[0] == 401
    assert (await world.post("/api/v1/auth/refresh", {"refresh_token": guest["refresh_token"]}))[0] == 401
    status, problem = await world.post(REDEEM, {"token": unused["token"]})
    assert (status, problem["code"]) == (410, "invitation_expired")
    assert (await world.get("/api/v1/me", other["access_token"]))[0] == 200
    status, problem = await world.post(invitations(world), {"name": "Late"}, await world.token("li"))
    assert (status, problem["code"]) == (409, "consultation_closed")


async def test_a_guest_who_has_to_knock_needs_no_knock_once_admitted(world: World) -> None:
    from core.invitations import admit_guest

    guest = await world.guest(lobby=True)
    sub = world.context.tokens.verify_access(guest["access_token"]).sub

    async def lobby() -> bool:
        _, joined = await world.post("/api/v1/rooms/demo/join", None, guest["access_token"])
        return world.context.tokens.verify_room(joined["token"]).grants.lobby

    assert await lobby()
    await admit_guest(world.database, sub)
    assert not await lobby()


async def test_a_guest_cannot_sign_in_by_password_or_change_one(world: World) -> None:
    guest = await world.guest()
    user = await find_user(
        world.database, user_id=world.context.tokens.verify_access(guest["access_token"]).sub
    )
    assert user is not None
    assert user.username.startswith("guest-")
    for password in ("", "password"):
        body = {"username": user.username, "password": password}
        assert (await world.post("/api/v1/auth/login", body))[0] == 401
    body = {"password": "", "new_password": "a long enough one"}
    status, problem = await world.post("/api/v1/auth/password", body, guest["access_token"])
    assert (status, problem["code"]) == (403, "role_may_not")


async def test_a_guest_sees_no_other_consultation_of_the_site(world: World) -> None:
    from core.consultations import new_room, open_consultation

    other = await open_consultation(
        world.database,
        room=new_room(),
        header="李*",
        record=True,
        organisation_id=world.clinic.organisation_id,
    )
    token = (await world.guest())["access_token"]
    for path in (f"/api/v1/consultations/{other.consultation_id}", "/api/v1/consultations/c_x"):
        assert (await world.get(path, token))[0] == 404
    assert (await world.post(f"/api/v1/rooms/{other.room}/join", None, token))[0] == 404


async def test_invitations_of_one_consultation_are_bounded(world: World) -> None:
    for _ in range(MAX_INVITATIONS):
        await world.invite()
    status, problem = await world.post(invitations(world), {"name": "More"}, await world.token("li"))
    assert (status, problem["code"]) == (409, "too_many")


async def test_an_invitation_of_another_consultation_cannot_be_revoked_by_its_id(world: World) -> None:
    other, _ = await world.invite(await other_consultation(world))
    path = f"{invitations(world)}/{other.invitation_id}"
    status, problem = await world.delete(path, await world.token("li"))
    assert (status, problem["code"]) == (404, "invitation_not_found")
    assert await states(world) == []


async def test_neither_the_token_nor_a_name_of_a_guest_is_logged_or_audited(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await invited(world, name="Guesty McGuestface")
    await world.post(REDEEM, {"token": made["token"]})
    await world.post(REDEEM, {"token": made["token"]})
    shown = capsys.readouterr().out + str(await world.audit())
    assert "redeem" in shown
    assert made["token"] not in shown
    assert "Guesty" not in shown
