"""Chat messages and files as stored, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core import chat, files
from core.consultations import close_consultation, open_consultation
from core.database import Database
from core.messages import ChatEntry, FileInfo
from core.people import create_organisation
from tests.core.clocks import FakeClock


def _entry(ref: str, text: str = "hello") -> ChatEntry:
    return ChatEntry(chat_id=f"m_{ref}", ref=ref, person="u_1", name="Li", role="site", text=text, at_us=1)


def _info(name: str, size_bytes: int = 10) -> FileInfo:
    return FileInfo(
        file_id=name, name="a.png", media_type="image/png", size_bytes=size_bytes, sha256="0" * 64
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
async def consultations(database: Database) -> tuple[str, str]:
    clinic = await create_organisation(database, "Clinic")
    found = [
        await open_consultation(
            database, room=room, header="", record=False, organisation_id=clinic.organisation_id
        )
        for room in ("one", "two")
    ]
    return found[0].consultation_id, found[1].consultation_id


async def test_the_same_ref_of_the_same_person_is_one_message_even_at_once(
    database: Database, consultations: tuple[str, str]
) -> None:
    one, two = consultations
    tries = [chat.add_message(database, one, "u_1", _entry("r")) for _ in range(5)]
    found = await asyncio.gather(*tries)
    assert sum(new for _, new in found) == 1
    assert {entry.chat_id for entry, _ in found} == {"m_r"}
    for consultation, person in ((one, "u_2"), (two, "u_1")):
        assert (await chat.add_message(database, consultation, person, _entry("r")))[1]
    assert [entry.ref for entry in await chat.history(database, one)] == ["r", "r"]


async def test_the_history_is_the_newest_oldest_first(
    database: Database, consultations: tuple[str, str]
) -> None:
    for number in range(5):
        await chat.add_message(database, consultations[0], "u_1", _entry(str(number), "'\"<>\\ 张\U0001f600"))
    assert [entry.ref for entry in await chat.history(database, consultations[0], limit=3)] == ["2", "3", "4"]
    assert await chat.history(database, consultations[1]) == []


async def test_files_belong_to_one_consultation_and_are_counted(
    database: Database, consultations: tuple[str, str]
) -> None:
    one, two = consultations
    await files.add_file(database, one, "u_1", _info("f_1", 10))
    await files.add_file(database, one, "u_1", _info("f_2", 32))
    assert await files.find_file(database, one, "f_1") == _info("f_1", 10)
    assert await files.find_file(database, two, "f_1") is None
    assert (await files.used(database, one), await files.used(database, two)) == ((2, 42), (0, 0))


async def test_only_what_was_closed_before_is_over_and_what_is_deleted_is_gone(
    database: Database, consultations: tuple[str, str]
) -> None:
    one, two = consultations
    await chat.add_message(database, one, "u_1", _entry("1"))
    await files.add_file(database, two, "u_1", _info("f_1"))
    later_us = database.now_us() + 1_000_000
    assert await chat.closed_before(database, later_us) == []
    for consultation in consultations:
        await close_consultation(database, consultation)
    assert await chat.closed_before(database, database.now_us()) == []
    assert set(await chat.closed_before(database, later_us)) == {one, two}
    assert await chat.delete_messages(database, [one, two]) == 1
    assert await files.delete_files(database, [one, two]) == 1
    assert await chat.closed_before(database, later_us) == []
