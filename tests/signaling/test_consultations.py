"""Who sees which consultation, who may enter, and who ends it."""

from __future__ import annotations

import pytest

from core import messages
from core.consultations import close_consultation, consultation_in_room, open_consultation
from signaling.app import reload
from tests.signaling.conftest import World


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases."""
    return everywhere


async def test_people_see_consultations_of_their_organisation_and_invitations(world: World) -> None:
    seen = {}
    for name in ("wang", "li", "mallory"):
        token = (await world.login(name))["access_token"]
        status, seen[name] = await world.get("/api/v1/consultations?state=open", token)
        assert status == 200
    assert seen["wang"] == [one | {"host": False} for one in seen["li"]]
    assert seen["mallory"] == []
    assert seen["li"] == [
        {
            "consultation_id": world.consultation.consultation_id,
            "room": "demo",
            "header": "张*三",
            "specialty": "",
            "question": "",
            "site": "Clinic",
            "state": "open",
            "record": True,
            "consent_record": True,
            "record_reason": "",
            "retention_class": "standard",
            "opened_at_us": world.consultation.opened_us,
            "closed_at_us": None,
            "host": True,
            "people": 0,
        }
    ]


async def test_without_a_token_nothing_is_told(world: World) -> None:
    for path in ("/api/v1/consultations", "/api/v1/me"):
        async with world.session.get(path) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await world.post("/api/v1/rooms/demo/join"))[0] == 401


async def test_joining_gives_a_room_token_with_the_role_s_grants(world: World) -> None:
    token = (await world.login("wang"))["access_token"]
    status, joined = await world.post("/api/v1/rooms/demo/join", None, token)
    assert status == 200
    assert joined["room"] == "demo"
    assert joined["consultation_id"] == world.consultation.consultation_id
    assert joined["ws_url"] == world.base_url.replace("http", "ws") + "/ws?room=demo"
    claims = world.context.tokens.verify_room(joined["token"])
    assert claims.org_name == "Hospital"
    assert claims.grants.model_dump() == {
        "publish": ["microphone", "camera", "screen"],
        "feeds": None,
        "subscribe": True,
        "view": None,
        "record": False,
        "chat": True,
        "host": False,
        "lobby": False,
        "annotate": True,
    }


@pytest.mark.parametrize(
    ("name", "room", "status", "code"),
    [
        ("mallory", "demo", 404, "room_not_found"),
        ("mallory", "nowhere", 404, "room_not_found"),
        ("wang", "nowhere", 404, "room_not_found"),
        ("zhao", "demo", 403, "role_may_not_join"),
        ("root", "demo", 403, "role_may_not_join"),
    ],
)
async def test_strangers_auditors_and_administrators_do_not_enter(
    world: World, name: str, room: str, status: int, code: str
) -> None:
    token = (await world.login(name))["access_token"]
    got, problem = await world.post(f"/api/v1/rooms/{room}/join", None, token)
    assert (got, problem["code"]) == (status, code)
    assert (world.users[name].user_id, "room_token", code) in await world.audit()


async def test_the_recorder_enters_only_what_is_to_be_recorded(world: World) -> None:
    await open_consultation(
        world.database, room="quiet", header="", record=False, organisation_id=world.clinic.organisation_id
    )
    secret = world.settings.service_secret_file.read_text()
    _, body = await world.post("/api/v1/auth/service", {"name": "recorder", "secret": secret})
    status, problem = await world.post("/api/v1/rooms/quiet/join", None, body["access_token"])
    assert (status, problem["code"]) == (403, "not_recorded")
    status, joined = await world.post("/api/v1/rooms/demo/join", None, body["access_token"])
    assert status == 200
    assert world.context.tokens.verify_room(joined["token"]).grants.record


async def test_the_site_ends_its_consultation_and_everyone_is_told(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    await client.send(messages.Subscribe())
    await client.next(messages.Offer)
    whip = await world.whip("ultrasound", world.room_token("device:1", "device"))
    assert whip.status == 201
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/close"
    for name, status in (("wang", 403), ("mallory", 404), ("zhao", 403)):
        token = (await world.login(name))["access_token"]
        assert (await world.post(path, None, token))[0] == status
    token = (await world.login("li"))["access_token"]
    status, closed = await world.post(path, None, token)
    assert (status, closed["state"]) == (200, "closed")
    await client.next(messages.ConsultationEnded)
    assert await client.closed() == 1000
    assert await consultation_in_room(world.database, "demo") is None
    await _until_no_transports(world)


async def test_a_consultation_closed_by_another_process_ends_here_too(world: World) -> None:
    client, _ = await world.join("u_1", "specialist")
    await close_consultation(world.database, world.consultation.consultation_id)
    await reload(world.context)
    await client.next(messages.ConsultationEnded)


async def test_a_token_of_the_last_patient_does_not_open_the_next_one_s_room(world: World) -> None:
    token = world.room_token("u_1", "specialist")
    device = world.room_token("device:1", "device")
    await close_consultation(world.database, world.consultation.consultation_id)
    await open_consultation(
        world.database, room="demo", header="李*", record=True, organisation_id=world.clinic.organisation_id
    )
    client = await world.connect(token)
    refused = await client.next(messages.Error)
    assert refused.code == "consultation_closed"
    assert await client.closed() == 4404
    assert (await world.whip("ultrasound", device)).status == 404


async def _until_no_transports(world: World) -> None:
    import asyncio

    async with asyncio.timeout(5):
        while world.worker.transports:
            await asyncio.sleep(0.005)
