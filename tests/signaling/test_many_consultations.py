"""However many consultations somebody opens, nobody else's are disturbed."""

from __future__ import annotations

from core import consultations, messages
from core.consultations import new_room
from core.tables import ConsultationRow
from signaling.app import reload
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person


async def _open_many(world: World, count: int) -> None:
    """Of elsewhere, newer than the clinic's."""
    now_us = world.database.now_us()
    async with world.database.writing() as writing:
        writing.add_all(
            ConsultationRow(
                id=f"c_many{number}",
                room=new_room(),
                header=f"李* {number}",
                state="open",
                record=True,
                opened_us=now_us + number,
                organisation_id=world.elsewhere.organisation_id,
            )
            for number in range(count)
        )


async def test_a_room_goes_on_however_many_consultations_were_opened_after_it(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await _open_many(world, 600)
    await reload(world.context)
    assert await host.sync() == []
    assert "demo" in world.context.service.rooms


async def test_the_recorder_is_told_of_every_open_consultation(world: World) -> None:
    await _open_many(world, 600)
    _, listed = await world.get("/api/v1/consultations?state=open", await world.recorder_token())
    assert world.consultation.consultation_id in {one["consultation_id"] for one in listed}


async def test_a_room_whose_consultation_was_closed_by_another_process_ends(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await consultations.close_consultation(world.database, world.consultation.consultation_id)
    await reload(world.context)
    await host.next(messages.ConsultationEnded)
