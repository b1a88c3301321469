"""Capture boxes: a box publishes while its site has it attached to the open consultation, and is enabled."""

from __future__ import annotations

import pytest

from core import messages
from core.consultations import close_consultation
from core.devices import create_device, detach_device, set_device_disabled
from core.enrolments import revoke_key
from signaling.app import reload
from signaling.grants import device_grants
from tests.signaling.conftest import World


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


def path(world: World) -> str:
    return f"/api/v1/consultations/{world.consultation.consultation_id}/devices"


def box_token(world: World) -> str:
    return world.room_token(f"device:{world.box.device_id}", "device", device_grants(["ultrasound"]))


async def detach(world: World) -> int:
    return (await world.delete(f"{path(world)}/{world.box.device_id}", await world.token("li")))[0]


async def attach(world: World, device_id: str) -> tuple[int, str | None]:
    status, answer = await world.post(path(world), {"device_id": device_id}, await world.token("li"))
    return status, answer and answer["code"]


async def whip(world: World) -> tuple[int, str | None]:
    response = await world.whip("ultrasound", box_token(world))
    return response.status, None if response.status == 201 else (await response.json())["code"]


async def test_the_site_s_devices_are_listed_for_its_site_and_administrator_only(world: World) -> None:
    shown = {
        "device_id": world.box.device_id,
        "name": "Box",
        "feeds": ["ultrasound"],
        "disabled": False,
        "enrolment": "none",
        "online": False,
        "health": None,
        "health_at_us": None,
        "troubles": [],
    }
    for name, expected in (("li", [shown]), ("root", [shown]), ("sun", []), ("wu", [])):
        assert await world.get("/api/v1/devices", await world.token(name)) == (200, expected)


async def test_detaching_ends_the_feeds_at_once_and_the_box_stays_out(world: World) -> None:
    watching, _ = await world.join("u_1", "specialist")
    box = await world.connect(box_token(world))
    await box.next(messages.Welcome)
    assert await whip(world) == (201, None)
    await watching.next(messages.TrackAdded)
    assert await detach(world) == 204
    await watching.next(messages.TrackRemoved)
    assert await box.closed() == 4403
    assert await whip(world) == (403, "device_not_attached")
    again = await world.connect(box_token(world))
    assert await again.closed() == 4403
    assert await detach(world) == 404


async def test_attaching_again_lets_the_box_in_with_the_token_it_has(world: World) -> None:
    assert await detach(world) == 204
    assert await attach(world, world.box.device_id) == (204, None)
    assert await attach(world, world.box.device_id) == (204, None)
    assert await whip(world) == (201, None)


async def test_a_disabled_box_neither_publishes_nor_is_attached(world: World) -> None:
    await set_device_disabled(world.database, world.box.device_id, True)
    assert await whip(world) == (403, "device_not_attached")
    assert await detach(world) == 204
    assert await attach(world, world.box.device_id) == (409, "device_disabled")


@pytest.mark.parametrize("how", ["disabled", "detached", "revoked"])
async def test_a_box_that_another_process_puts_out_goes_here_too(world: World, how: str) -> None:
    watching, _ = await world.join("u_1", "specialist")
    box = await world.connect(box_token(world))
    await box.next(messages.Welcome)
    await whip(world)
    plain = await world.whip("theatre", world.room_token("device:plain", "device"))
    assert plain.status == 201
    await watching.next(messages.TrackAdded)
    if how == "disabled":
        await set_device_disabled(world.database, world.box.device_id, True)
    elif how == "revoked":
        await revoke_key(world.database, world.box.device_id)
    else:
        await detach_device(world.database, world.consultation.consultation_id, world.box.device_id)
    await reload(world.context)
    await watching.next(messages.TrackRemoved)
    assert await box.closed() == 4403
    assert {use.owner for use in world.context.service.uses.values()} == {"device:plain"}


async def test_another_organisation_s_box_does_not_exist_for_the_site(world: World) -> None:
    hospital = world.hospital.organisation_id
    theirs = await create_device(world.database, organisation_id=hospital, name="Theirs", feeds=["x"])
    assert await attach(world, theirs.device_id) == (404, "device_not_found")
    assert await attach(world, "d_" + "0" * 26) == (404, "device_not_found")


async def test_nothing_is_attached_or_invited_after_the_end(world: World) -> None:
    await close_consultation(world.database, world.consultation.consultation_id)
    assert await whip(world) == (404, "consultation_closed")
    assert await attach(world, world.box.device_id) == (409, "consultation_closed")
    invite = path(world).replace("devices", "organisations")
    body = {"organisation_id": world.elsewhere.organisation_id}
    status, problem = await world.post(invite, body, await world.token("li"))
    assert (status, problem["code"]) == (409, "consultation_closed")


async def test_inviting_an_organisation_lets_its_people_in_at_once(world: World) -> None:
    token = await world.token("mallory")
    assert (await world.post("/api/v1/rooms/demo/join", None, token))[0] == 404
    invite = path(world).replace("devices", "organisations")
    for organisation, expected in (
        (world.elsewhere.organisation_id, 204),
        (world.elsewhere.organisation_id, 204),
        (world.clinic.organisation_id, 204),
        ("o_" + "0" * 26, 404),
    ):
        body = {"organisation_id": organisation}
        assert (await world.post(invite, body, await world.token("li")))[0] == expected
    assert (await world.post("/api/v1/rooms/demo/join", None, token))[0] == 200


async def test_organisations_that_can_be_invited_are_listed_by_name(world: World) -> None:
    status, listed = await world.get("/api/v1/organisations", await world.token("li"))
    assert status == 200
    assert [one["name"] for one in listed] == ["Clinic", "Elsewhere", "Hospital"]


async def test_a_host_sees_which_organisations_take_part_and_which_boxes_are_attached(world: World) -> None:
    li, invited = await world.token("li"), path(world).replace("devices", "organisations")

    async def names(of: str) -> list[str]:
        status, listed = await world.get(of, li)
        assert status == 200
        return [one["name"] for one in listed]

    assert await names(invited) == ["Clinic", "Hospital"], "the inviting one first"
    await world.post(invited, {"organisation_id": world.elsewhere.organisation_id}, li)
    assert await names(invited) == ["Clinic", "Elsewhere", "Hospital"]
    assert await names(path(world)) == ["Box"]
    await detach(world)
    assert await names(path(world)) == []
