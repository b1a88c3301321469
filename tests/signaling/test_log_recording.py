"""Stopping and beginning to record are leaves of the log: before they happen, and never of what did not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archive.log_book import LogBook
from core import consultations, messages
from signaling import log_writer
from signaling.log_keeper import LOG_KEEPER, RECONCILE_S
from signaling.room_service import DECISIONS_BURST
from tests.signaling.conftest import RoomClient, World, make_world
from tests.signaling.room_people import enter, person, refused
from tests.signaling.test_log_service import about, keeper, leaves, until


async def _set(host: RoomClient, record: bool) -> None:
    await host.send(messages.SetRecord(record=record))
    assert (await host.next(messages.RecordChanged)).record == record


async def _decisions(world: World) -> list[tuple[bool, str, str]]:
    found = await about(world, world.consultation.consultation_id, "recording")
    return [(leaf.record, leaf.by, leaf.reason) for leaf in found]


async def test_a_host_s_stop_and_its_end_are_leaves_and_say_from_when_to_when(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await _set(host, False)
    await _set(host, True)
    assert await _decisions(world) == [(False, "u_host", "site_decided"), (True, "u_host", "site_decided")]
    book = LogBook()
    for leaf in await leaves(world):
        book.add(leaf)
    (stop,) = book.records[world.consultation.consultation_id].stops()
    assert stop.end_us is not None
    assert (stop.begin_us <= stop.end_us, stop.by) == (True, "u_host")


async def test_the_leaf_is_written_before_anybody_is_told_and_before_it_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = await enter(world, person(world, "host"))
    monkeypatch.setattr(log_writer, "APPEND_WITHIN_S", 0.05)

    async def full(_item: Any) -> int:
        raise log_writer.unavailable("No space left on device")

    monkeypatch.setattr(world.context.log.writer, "append", full)
    await refused(host, messages.SetRecord(record=False), "log_unavailable")
    assert (await consultations.list_consultations(world.database))[0].record
    assert world.context.service.rooms["demo"].consultation.record


async def test_what_could_not_be_stored_is_corrected_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = await enter(world, person(world, "host"))
    store = consultations.set_record

    async def failing(*args: Any, **named: Any) -> Any:
        await store(*args, **named)
        raise OSError("the disk is full")

    monkeypatch.setattr(consultations, "set_record", failing)
    await host.send(messages.SetRecord(record=False))
    assert (await host.next(messages.Error)).code == "internal"
    assert await _decisions(world) == [(False, "u_host", "site_decided"), (True, "u_host", "corrected")]
    book = LogBook()
    for leaf in await leaves(world):
        book.add(leaf)
    assert book.records[world.consultation.consultation_id].stops() == []


async def test_a_decision_that_the_service_died_over_is_corrected_when_it_is_back(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        wanted = world.consultation.consultation_id
        await enter(world, person(world, "host"))
        await world.context.log.recording(wanted, record=False, by="u_host", reason="site_decided")
        fresh = type(keeper(world))(world.context)  # as the next process has it
        await fresh.tick()
        await until(lambda: world.context.log.writer.book.records[wanted].recording is True)
        assert await _decisions(world) == [
            (False, "u_host", "site_decided"),
            (True, "unknown", "corrected"),
        ]


async def test_a_change_beside_the_service_is_in_the_log_within_seconds(world: World) -> None:
    wanted = world.consultation.consultation_id
    await enter(world, person(world, "host"))
    await world.app[LOG_KEEPER].tick()
    await consultations.set_record(world.database, wanted, False)
    world.clock.advance(RECONCILE_S)
    await world.app[LOG_KEEPER].tick()
    await until(lambda: world.context.log.writer.book.records[wanted].recording is False)
    assert await _decisions(world) == [(False, "unknown", "unknown")]


async def test_consent_withdrawn_is_a_leaf_that_nothing_waits_for(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.send(messages.SetConsent(record=False))
    await host.next(messages.ConsentChanged)
    wanted = world.consultation.consultation_id
    await until(lambda: world.context.log.writer.book.records[wanted].recording is False)
    assert await _decisions(world) == [(False, "u_host", "patient_declined")]


async def test_a_host_does_not_fill_the_log(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    for number in range(DECISIONS_BURST):
        await _set(host, number % 2 == 1)
    await refused(host, messages.SetRecord(record=False), "too_fast")
