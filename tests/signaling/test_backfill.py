"""Who may deliver later what a box kept: the box, for a consultation it was in, while its key holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from archive.ring import sign_buffer_key
from archive.ring_messages import BackfillAnswer, BackfillQuestion
from core.consultations import close_consultation
from core.devices import detach_device, set_device_disabled
from core.enrolments import create_code
from core.trail import read_audit
from signaling.backfill import LEASE_S
from tests.archive.support import keys
from tests.signaling.boxes import Answer, Box, enrolled
from tests.signaling.conftest import World

RING = "a" * 64
PUBLIC_KEY = "age1" + "q" * 58
Reply = Callable[[BackfillQuestion], BackfillAnswer]


def taken(question: BackfillQuestion) -> BackfillAnswer:
    """What a recorder says that takes everything."""
    if question.step != "key":
        return BackfillAnswer(known=7)
    key = sign_buffer_key(question.consultation, question.device, 1, PUBLIC_KEY, 1, keys().signer)
    return BackfillAnswer(key=key)


@asynccontextmanager
async def recorder(world: World, reply: Reply = taken) -> AsyncIterator[list[BackfillQuestion]]:
    """One that is there; what it was asked."""
    asked: list[BackfillQuestion] = []
    waiting = world.context.backfill

    async def serve() -> None:
        while True:
            question = await waiting.next(world.clock)
            if question is not None:
                asked.append(question)
                waiting.answer(question.question_id, reply(question))

    task = asyncio.create_task(serve())
    try:
        yield asked
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def lease(box: Box) -> Answer:
    world = box.world
    wanted = await box.backfill_request(world.consultation.consultation_id)
    return await world.post("/api/v1/devices/backfill", wanted)


async def leased(box: Box) -> str:
    status, answer = await lease(box)
    assert status == 200, answer
    return str(answer["lease"])


async def ask(box: Box, held: str, step: str = "wanted") -> Answer:
    body = {"lease": held, "step": step, "ring": RING}
    return await box.world.post("/api/v1/devices/backfill/ask", body)


async def send(box: Box, held: str, data: bytes = b"sealed") -> Answer:
    headers = {"X-Lease": held}
    path = f"/api/v1/devices/backfill/{RING}/3"
    async with box.world.session.post(path, data=data, headers=headers) as response:
        return response.status, await response.json()


def refusal(answer: Answer) -> tuple[int, Any]:
    return answer[0], answer[1].get("code")


async def test_a_box_gets_the_key_of_its_consultation_and_what_it_sends_reaches_the_recorder(
    world: World,
) -> None:
    box = await enrolled(world)
    bodies: list[bytes] = []

    def reply(question: BackfillQuestion) -> BackfillAnswer:
        if question.step == "piece":
            bodies.append(world.context.backfill.body(question.question_id))
        return taken(question)

    async with recorder(world, reply) as asked:
        status, answer = await lease(box)
        assert status == 200
        assert (answer["key"]["device"], answer["key"]["public_key"]) == (box.device_id, PUBLIC_KEY)
        assert (await ask(box, answer["lease"]))[1]["known"] == 7
        assert (await send(box, answer["lease"]))[0] == 200
    assert bodies == [b"sealed"]
    assert {one.device for one in asked} == {box.device_id}
    assert {one.public_key for one in asked} == {box.public}
    assert (asked[-1].entry, asked[-1].ring, asked[-1].feeds) == (3, RING, list(world.box.feeds))
    trail = [row for row in await read_audit(world.database) if row.action == "backfill"]
    assert [row.actor for row in trail] == [f"device:{box.device_id}"]


async def test_a_stolen_boxs_revoked_key_opens_and_delivers_nothing(world: World) -> None:
    box = await enrolled(world)
    async with recorder(world) as asked:
        held = await leased(box)
        status, _ = await world.post(
            f"/api/v1/devices/{box.device_id}/revoke", None, token=await world.token("root")
        )
        assert status < 300
        before = len(asked)
        assert refusal(await ask(box, held)) == (403, "device_revoked")
        assert refusal(await send(box, held)) == (403, "device_revoked")
        assert refusal(await lease(box))[0] in (401, 403)
        assert len(asked) == before


async def test_a_box_that_was_enrolled_anew_delivers_nothing_with_its_old_lease(world: World) -> None:
    box = await enrolled(world)
    async with recorder(world):
        held = await leased(box)
        await Box(world).enrol((await create_code(world.database, box.device_id)).code)
        assert refusal(await send(box, held)) == (403, "device_revoked")


async def test_disabled_detached_or_unknown_it_delivers_nothing(world: World) -> None:
    box, con = await enrolled(world), world.consultation.consultation_id
    async with recorder(world):
        held = await leased(box)
        assert refusal(await ask(box, "x" * 43)) == (401, "lease_over")
        await set_device_disabled(world.database, box.device_id, True)
        assert refusal(await send(box, held)) == (403, "device_disabled")
        await set_device_disabled(world.database, box.device_id, False)
        await detach_device(world.database, con, box.device_id)
        assert refusal(await send(box, held)) == (403, "device_not_attached")
        assert refusal(await lease(box)) == (403, "device_not_attached")


async def test_after_the_consultation_it_delivers_for_a_while(world: World) -> None:
    box, late_s = await enrolled(world), world.settings.backfill_late_s
    async with recorder(world):
        held = await leased(box)
        await close_consultation(world.database, world.consultation.consultation_id)
        assert (await send(box, held))[0] == 200
        world.clock.advance(LEASE_S + 1)
        assert refusal(await send(box, held)) == (401, "lease_over")
        world.clock.advance(late_s)
        assert refusal(await lease(box)) == (409, "consultation_closed")


async def test_without_a_recorder_it_waits_and_what_the_recorder_refuses_is_told(world: World) -> None:
    box = await enrolled(world)
    assert refusal(await lease(box)) == (503, "no_recorder")

    def reply(question: BackfillQuestion) -> BackfillAnswer:
        return taken(question) if question.step == "key" else BackfillAnswer(refused="not_wanted")

    async with recorder(world, reply):
        held = await leased(box)
        assert refusal(await send(box, held)) == (409, "not_wanted")


async def test_a_signature_for_a_token_is_good_for_no_lease(world: World) -> None:
    box = await enrolled(world)
    async with recorder(world):
        wanted = await box.signed() | {"consultation_id": world.consultation.consultation_id}
        assert refusal(await world.post("/api/v1/devices/backfill", wanted)) == (401, "wrong_signature")


@pytest.mark.parametrize("path", [f"{RING}/3x", f"{'a' * 63}/3", f"{RING}/9999999999", f"{RING}/-1"])
async def test_what_names_no_entry_is_refused_before_the_recorder_hears_of_it(
    world: World, path: str
) -> None:
    box = await enrolled(world)
    async with recorder(world) as asked:
        headers = {"X-Lease": await leased(box)}
        async with world.session.post(
            f"/api/v1/devices/backfill/{path}", data=b"x", headers=headers
        ) as response:
            assert response.status == 409
        assert len(asked) == 1
