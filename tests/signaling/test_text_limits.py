"""Text that grows when it is cleaned, or that a database cannot hold, is refused, never an error of ours."""

from __future__ import annotations

import pytest

from core import messages
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person

GROWS = "\ufb2c"
"""One letter that NFC makes three of."""


@pytest.fixture
def world(everywhere: World) -> World:
    """On both databases: only one of them keeps to the lengths of its columns."""
    return everywhere


async def test_a_guest_s_name_that_grows_is_refused_and_the_link_stays_good(world: World) -> None:
    _, token = await world.invite()
    path = "/api/v1/invitations/redeem"
    status, problem = await world.post(path, {"token": token, "name": GROWS * 100})
    assert (status, problem["code"]) == (422, "invalid_body")
    assert (await world.post(path, {"token": token, "name": GROWS * 30}))[0] == 200


@pytest.mark.parametrize("field", ["specialty", "record_reason"])
async def test_a_form_s_text_that_grows_is_refused(world: World, field: str) -> None:
    form = {
        "patient": {"name": "张三", "sex": "male", "age": 57, "exam_number": "US-1"},
        "consent_consult": True,
        "consent_record": False,
        "record": False,
        "record_reason": "none",
    } | {field: GROWS * (500 if field == "record_reason" else 100)}
    status, problem = await world.post("/api/v1/consultations", form, await world.token("li"))
    assert (status, problem["code"]) == (422, "invalid_body")


async def test_a_chat_reference_no_database_holds_is_malformed(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.socket.send_json({"type": "chat", "ref": "a\x00b", "text": "hello"})
    assert (await host.next(messages.Error)).code == "malformed"
