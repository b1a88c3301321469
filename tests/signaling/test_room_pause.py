"""Privacy pause: stored, in force at the media server, then told; nothing the site sends slips through."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import consultations, messages, trail
from core.consultations import consultation_in_room
from signaling import pausing
from signaling.room_service import RoomService
from tests.signaling.conftest import RoomClient, World, make_world
from tests.signaling.room_people import enter, person, refused, until


def _tracks(world: World, direction: str = "publish") -> dict[str, bool]:
    """What the worker forwards and what not: feed or participant → paused."""
    return {
        track.feed: track.paused
        for transport in world.worker.transports.values()
        if transport.wanted.direction == direction
        for track in transport.tracks
    }


async def _pause(client: RoomClient, paused: bool) -> messages.PausedChanged:
    await client.send(messages.SetPaused(paused=paused))
    changed: messages.PausedChanged = await client.next(messages.PausedChanged)
    assert changed.paused == paused
    return changed


async def test_a_pause_stops_what_the_site_s_devices_and_people_send_and_nothing_else(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    expert, expert_welcome = await enter(world, person(world, "invited"))
    recorder, _ = await enter(world, person(world, "recorder"))
    await world.publish(host, "audio/microphone")
    await world.publish(expert, "video/camera")
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    own, other = welcome.participant.participant_id, expert_welcome.participant.participant_id
    await expert.sync()
    await host.send(messages.SetPaused(paused=True))
    for client in (host, expert, recorder):
        changed = [(await client.next(messages.TrackChanged)).track for _ in range(2)]
        assert {track.feed: track.paused for track in changed} == {own: True, "ultrasound": True}
        told = await client.next(messages.PausedChanged)
        assert (told.paused, told.by) == (True, "u_host")
    assert _tracks(world) == {own: True, other: False, "ultrasound": True}
    stored = await consultation_in_room(world.database, "demo")
    assert stored is not None
    assert stored.paused
    await _pause(host, False)
    assert _tracks(world) == {own: False, other: False, "ultrasound": False}
    assert not (await consultation_in_room(world.database, "demo")).paused  # type: ignore[union-attr]  # it is open
    await host.sync()  # it is told before it is written down
    assert {("u_host", "pause", "ok"), ("u_host", "unpause", "ok")} <= set(await world.audit())


async def test_what_is_published_during_a_pause_is_born_paused(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    await _pause(host, True)
    expert, _ = await enter(world, person(world, "invited"))
    published = await world.publish(host, "audio/microphone")
    assert [track.paused for track in published.tracks] == [True]
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    assert not (await world.publish(expert, "video/camera")).tracks[0].paused
    paused = {feed for feed, is_paused in _tracks(world).items() if is_paused}
    assert paused == {welcome.participant.participant_id, "ultrasound"}
    added = [m.track for m in expert.seen if isinstance(m, messages.TrackAdded)]
    assert [track.paused for track in added if track.source != "camera"] == [True, True]
    source = messages.PublishedSource(mid="1", source="screen")
    more = messages.Publish(
        offer="v=0\r\npublish:audio/microphone,video/?", sources=[source], transport_id=published.transport_id
    )
    await host.send(more)
    again = await host.next(messages.Published)
    assert [track.paused for track in again.tracks] == [True, True]


async def test_a_pause_that_begins_while_a_track_is_being_published_holds_for_it(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    camera, _ = await enter(world, person(world, "specialist"))
    expert, _ = await enter(world, person(world, "invited"))
    world.worker.hold = asyncio.Event()
    source = messages.PublishedSource(mid="0", source="camera")
    await camera.send(messages.Publish(offer="v=0\r\npublish:video/camera", sources=[source]))
    await until(lambda: "POST transports" in world.worker.calls)
    await host.send(messages.SetPaused(paused=True))
    await until(lambda: world.context.service.rooms["demo"].consultation.paused)
    assert (await expert.next(messages.PausedChanged)).paused
    world.worker.hold.set()
    world.worker.hold = None
    published = await camera.next(messages.Published)
    assert published.tracks[0].paused
    assert (await expert.next(messages.TrackAdded)).track.paused
    assert list(_tracks(world).values()) == [True]


async def test_the_pause_outlives_a_restart_of_the_media_server(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    await _pause(host, True)
    await world.worker.crash()
    await host.next(messages.MediaReset)
    await world.worker.start()
    await until(lambda: bool(world.context.service.pool.connected))
    published = await world.publish(host, "audio/microphone")
    assert published.tracks[0].paused
    assert list(_tracks(world).values()) == [True]


async def test_the_pause_outlives_a_restart_of_the_service(tmp_path: Any) -> None:
    async with make_world(tmp_path / "first") as world:
        await consultations.set_paused(world.database, world.consultation.consultation_id, True)
        host, welcome = await enter(world, person(world, "host"))
        assert welcome.consultation.paused
        assert (await world.publish(host, "audio/microphone")).tracks[0].paused
        await _pause(host, False)
        assert list(_tracks(world).values()) == [False]


async def test_nobody_is_told_before_it_is_so_and_it_is_tried_until_it_is(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    await world.publish(host, "audio/microphone")
    await expert.next(messages.TrackAdded)
    world.worker.refuse_pauses = True
    await host.send(messages.SetPaused(paused=True))
    await until(lambda: world.worker.calls.count("PUT tracks/paused") >= 2)
    assert await expert.sync() == []
    world.worker.refuse_pauses = False
    assert (await expert.next(messages.TrackChanged)).track.paused
    assert (await expert.next(messages.PausedChanged)).paused


async def test_a_pause_goes_through_even_if_its_host_is_cut_off_at_that_moment(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    await world.publish(host, "audio/microphone")
    world.worker.refuse_pauses = True
    await host.send(messages.SetPaused(paused=True))
    await until(lambda: "PUT tracks/paused" in world.worker.calls)
    await host.drop()
    await until(lambda: len(_connected(world.context.service)) == 1)
    world.worker.refuse_pauses = False
    assert (await expert.next(messages.PausedChanged)).paused
    assert list(_tracks(world).values()) == [True]


async def test_a_media_server_that_dies_during_the_pause_leaves_nothing_to_wait_for(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    world.worker.refuse_pauses = True
    await host.send(messages.SetPaused(paused=True))
    await until(lambda: "PUT tracks/paused" in world.worker.calls)
    await world.worker.crash()
    assert (await host.next(messages.PausedChanged)).paused


async def test_pausing_twice_changes_nothing_and_quick_changes_end_as_the_last_one(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    second, _ = await enter(world, person(world, "host", name="u_host_2"))
    await world.publish(host, "audio/microphone")
    await _pause(host, True)
    await second.send(messages.SetPaused(paused=True))
    await second.sync()
    assert sum(isinstance(message, messages.PausedChanged) for message in second.seen) == 1
    for paused in (False, True, False, True):
        await host.send(messages.SetPaused(paused=paused))
    await host.sync()
    assert list(_tracks(world).values()) == [True]
    assert world.context.service.rooms["demo"].consultation.paused


async def test_a_pause_is_in_force_before_it_is_stored_and_stored_before_it_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the service dies, the worker has been told what is stored, or more."""
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    at_the_worker: list[tuple[bool, list[bool]]] = []
    store = consultations.set_paused

    async def watched(database: Any, consultation: str, paused: bool) -> Any:
        at_the_worker.append((paused, list(_tracks(world).values())))
        return await store(database, consultation, paused)

    monkeypatch.setattr(consultations, "set_paused", watched)
    await _pause(host, True)
    await _pause(host, False)
    assert at_the_worker == [(True, [True]), (False, [True])]
    assert list(_tracks(world).values()) == [False]


async def test_a_pause_is_stored_although_the_worker_does_not_answer(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    world.worker.refuse_pauses = True
    await host.send(messages.SetPaused(paused=True))
    async with asyncio.timeout(5):
        while not (await consultations.list_consultations(world.database))[0].paused:
            await asyncio.sleep(0.01)
    assert list(_tracks(world).values()) == [False]
    world.worker.refuse_pauses = False
    assert (await host.next(messages.PausedChanged)).paused


async def test_a_pause_is_in_force_and_stored_later_while_the_database_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    store, failures = consultations.set_paused, [OSError("the disk is full")]

    async def failing(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return await store(*args)

    monkeypatch.setattr(consultations, "set_paused", failing)
    monkeypatch.setattr(pausing, "STORE_AGAIN_S", 0.01)
    await _pause(host, True)
    assert list(_tracks(world).values()) == [True]
    assert (await consultations.list_consultations(world.database))[0].paused


@pytest.mark.parametrize("kind", ["specialist", "invited", "recorder", "device", "viewer"])
async def test_only_hosts_pause(world: World, kind: Any) -> None:
    client, _ = await enter(world, person(world, kind))
    await refused(client, messages.SetPaused(paused=True), "not_host")
    assert not world.context.service.rooms["demo"].consultation.paused


def _connected(service: RoomService) -> list[str]:
    return [seat.member.id for seat in service.attached.values() if seat.member.connected]


@pytest.mark.parametrize("paused", [True, False])
async def test_a_pause_is_in_force_though_the_trail_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    if not paused:
        await _pause(host, True)

    async def full(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(trail, "record_audit", full)
    await host.send(messages.SetPaused(paused=paused))
    await until(lambda: list(_tracks(world).values()) == [paused])
    assert (await host.next(messages.PausedChanged)).paused == paused


async def test_a_pause_that_was_not_brought_to_its_end_is_when_asked_again(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await world.publish(host, "audio/microphone")
    world.context.service.rooms["demo"].set_paused(True)  # as if something had failed just after this
    await _pause(host, True)
    assert list(_tracks(world).values()) == [True]
