"""Between the check of a token and the seat, feed or player it opens, everything may change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core import chat as core_chat
from core import consultations, devices, messages
from signaling import chatting, seats, wish
from signaling.accounts import revoke
from signaling.grants import device_grants
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import enter, person, until


class Gate:
    """Stops a function of a module after it did its work, until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self._work: Callable[..., Awaitable[Any]] = getattr(module, name)
        monkeypatch.setattr(module, name, self._slow)

    async def _slow(self, *args: Any, **named: Any) -> Any:
        result = await self._work(*args, **named)
        self.reached.set()
        await self.go_on.wait()
        return result


async def _held_up(world: World, token: str, gate: Gate) -> RoomClient:
    """Somebody whose hello was checked, and who is not in yet."""
    client = await world.connect(token)
    await gate.reached.wait()
    return client


async def test_whoever_is_revoked_while_entering_does_not_get_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, seats, "is_waiting")
    client = await _held_up(world, person(world, "specialist").token, gate)
    await revoke(world.context, "u_specialist")
    gate.go_on.set()
    assert await client.closed() == 4401
    assert not any(isinstance(message, messages.Welcome) for message in client.seen)


async def test_nobody_enters_a_consultation_that_was_closed_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, seats, "is_waiting")
    client = await _held_up(world, person(world, "specialist").token, gate)
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/close"
    assert (await world.post(path, None, await world.token("li")))[0] == 200
    gate.go_on.set()
    assert await client.closed() == 4404
    assert not any(isinstance(message, messages.Welcome) for message in client.seen)


@pytest.mark.parametrize("late", [False, True])
async def test_whoever_is_sent_out_while_entering_does_not_get_in(
    world: World, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    host, _ = await enter(world, person(world, "host"))
    _, seat = await enter(world, person(world, "invited"))
    gate = Gate(monkeypatch, core_chat, "history") if late else Gate(monkeypatch, seats, "is_waiting")
    client = await _held_up(world, person(world, "invited").token, gate)
    await host.send(messages.Remove(participant_id=seat.participant.participant_id))
    await host.next(messages.ParticipantLeft)
    gate.go_on.set()
    if late:
        assert await client.closed() == 4403
    else:
        await client.next(messages.Waiting)
    assert not any(isinstance(message, messages.Welcome) for message in client.seen)


async def test_a_pause_that_began_meanwhile_holds_for_whoever_enters(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room was empty, and is made anew: from what is stored now, not a moment ago."""
    gate = Gate(monkeypatch, seats, "is_waiting")
    client = await _held_up(world, person(world, "host").token, gate)
    await consultations.set_paused(world.database, world.consultation.consultation_id, True)
    gate.go_on.set()
    assert (await client.next(messages.Welcome)).consultation.paused


async def test_a_room_is_not_forgotten_while_its_pause_is_being_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, consultations, "set_paused")
    host, _ = await enter(world, person(world, "host"))
    room = world.context.service.rooms["demo"]
    await host.send(messages.SetPaused(paused=True))
    await gate.reached.wait()
    await world.context.service.remove_subject(world.consultation.consultation_id, "u_host")
    assert world.context.service.rooms.get("demo") is room
    gate.go_on.set()
    await until(lambda: "demo" not in world.context.service.rooms)


async def test_a_box_that_was_detached_meanwhile_shows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert, _ = await enter(world, person(world, "invited"))
    token = world.room_token(f"device:{world.box.device_id}", "device", device_grants(["ultrasound"]))
    gate = Gate(monkeypatch, wish, "is_waiting")
    publishing = asyncio.create_task(world.whip("ultrasound", token))
    await gate.reached.wait()
    path = f"/api/v1/consultations/{world.consultation.consultation_id}/devices/{world.box.device_id}"
    assert (await world.delete(path, await world.token("li")))[0] == 204
    assert not await devices.is_attached(
        world.database, world.consultation.consultation_id, world.box.device_id
    )
    gate.go_on.set()
    assert (await publishing).status == 403
    await until(lambda: not world.worker.transports)
    assert not any(isinstance(message, messages.TrackAdded) for message in await expert.sync())


async def test_a_player_whose_sign_in_was_revoked_meanwhile_sees_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    gate = Gate(monkeypatch, wish, "is_waiting")
    headers = {
        "Content-Type": "application/sdp",
        "Authorization": f"Bearer {person(world, 'specialist').token}",
    }
    asking = asyncio.create_task(world.session.post("/whep/demo/ultrasound", data="v=0\r\n", headers=headers))
    await gate.reached.wait()
    await revoke(world.context, "u_specialist")
    gate.go_on.set()
    async with await asking as response:
        assert response.status == 401
    assert [t.wanted.direction for t in world.worker.transports.values()] == ["publish"]


async def test_whoever_resumes_and_is_revoked_meanwhile_is_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, welcome = await enter(world, person(world, "specialist"))
    await client.drop()
    gate = Gate(monkeypatch, chatting.chat, "history")
    back = await _held_up_resuming(world, welcome.resume_token, gate)
    await revoke(world.context, "u_specialist")
    gate.go_on.set()
    assert await back.closed() in (4401, 4404)
    assert not any(isinstance(message, messages.Welcome) for message in back.seen)


async def _held_up_resuming(world: World, resume_token: str, gate: Gate) -> RoomClient:
    client = await world.connect(None, messages.Hello(resume_token=resume_token))
    await gate.reached.wait()
    return client
