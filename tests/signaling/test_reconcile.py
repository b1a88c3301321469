"""What a media server forwards for a signaling process that is gone ends, whatever goes wrong in between.

A privacy pause may have been stored by that process and never told: nothing of it may flow on.
"""

from __future__ import annotations

from core import consultations, messages
from core.worker_api import CreateTransport
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person, until
from tests.signaling.worker_double import Transport


def _leave_behind(world: World, name: str = "t_left") -> None:
    """A camera that the predecessor let the worker forward."""
    wanted = CreateTransport(
        transport_id=name,
        room="demo",
        participant_id="p_gone",
        direction="publish",
        offer="v=0",
        feed="p_gone",
    )
    world.worker.transports[name] = Transport(wanted)


async def _come_back(world: World) -> None:
    """The service meets the worker again."""
    world.worker.calls.clear()
    await world.worker.cut_events()
    await world.worker.connected.wait()


async def test_what_a_predecessor_left_behind_ends_though_the_worker_stumbles(world: World) -> None:
    await consultations.set_paused(world.database, world.consultation.consultation_id, True)
    _leave_behind(world)
    world.worker.refuse_stats = 2
    await _come_back(world)
    await until(lambda: not world.worker.transports)
    host, welcome = await enter(world, person(world, "host"))
    assert welcome.consultation.paused
    assert (await world.publish(host, "audio/microphone")).tracks[0].paused
    (transport,) = world.worker.transports.values()
    assert transport.wanted.paused


async def test_an_end_that_fails_is_tried_again(world: World) -> None:
    _leave_behind(world)
    _leave_behind(world, "t_left2")
    world.worker.refuse_deletes = 2
    await _come_back(world)
    await until(lambda: not world.worker.transports)


async def test_what_is_ours_goes_on_meanwhile(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    published = await world.publish(host, "audio/microphone")
    _leave_behind(world)
    world.worker.refuse_stats = world.worker.refuse_deletes = 1
    await _come_back(world)
    await until(lambda: set(world.worker.transports) == {published.transport_id})
    assert not any(isinstance(message, messages.MediaReset) for message in await host.sync())
