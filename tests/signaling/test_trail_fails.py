"""What ends something takes effect though the audit trail cannot be written at that moment."""

from __future__ import annotations

from typing import Any

import pytest

from core import messages, trail
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person


@pytest.fixture
def no_trail(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def full(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    return lambda: monkeypatch.setattr(trail, "record_audit", full)


async def test_withdrawn_consent_reaches_the_recorder(world: World, no_trail: Any) -> None:
    host, _ = await enter(world, person(world, "host"))
    recorder, _ = await enter(world, person(world, "recorder"))
    no_trail()
    await host.send(messages.SetConsent(record=False))
    assert not (await recorder.next(messages.ConsentChanged)).consent.record


async def test_a_revoked_guest_is_out(world: World, no_trail: Any) -> None:
    invitation, token = await world.invite()
    _, redeemed = await world.post("/api/v1/invitations/redeem", {"token": token})
    _, joined = await world.post("/api/v1/rooms/demo/join", None, redeemed["access_token"])
    guest = await world.connect(joined["token"])
    await guest.next(messages.Welcome)
    host = await world.token("li")
    no_trail()
    path = f"/api/v1/consultations/{invitation.consultation_id}/invitations/{invitation.invitation_id}"
    await world.delete(path, host)
    assert await guest.closed() == 4401


async def test_a_detached_box_shows_nothing_more(world: World, no_trail: Any) -> None:
    host, _ = await enter(world, person(world, "host"))
    sub = f"device:{world.box.device_id}"
    assert (await world.whip("ultrasound", person(world, "device", sub).token)).status == 201
    await host.next(messages.TrackAdded)
    token = await world.token("li")
    no_trail()
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/devices/{world.box.device_id}"
    await world.delete(path, token)
    assert any(isinstance(message, messages.TrackRemoved) for message in await host.sync())


async def test_a_closed_consultation_is_over(world: World, no_trail: Any) -> None:
    host, _ = await enter(world, person(world, "host"))
    token = await world.token("li")
    no_trail()
    await world.post(f"/api/v1/consultations/{world.consultation.consultation_id}/close", None, token)
    await host.next(messages.ConsultationEnded)
    assert "demo" not in world.context.service.rooms
