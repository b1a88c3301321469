"""From the first version's tables, with rows in them, to today's."""

from __future__ import annotations

import asyncio

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from core import consultations, devices, invitations, people, trail
from core.database import _MIGRATIONS, Database
from tests.core.clocks import FakeClock

ROWS = (
    "INSERT INTO organisations (id, name, created_us) VALUES ('o_1', '诊所', 1), ('o_2', 'Hospital', 2)",
    "INSERT INTO users "
    "(id, username, password_hash, role, organisation_id, display_name, disabled, created_us) "
    "VALUES ('u_1', 'li', 'hash', 'site', 'o_1', '李', false, 3)",
    "INSERT INTO consultations "
    "(id, room, header, state, record, opened_us, closed_us, organisation_id) "
    "VALUES ('c_1', 'demo', '张*三', 'open', true, 4, NULL, 'o_1'), "
    "('c_0', 'demo', '王*', 'closed', false, 1, 2, 'o_1')",
    "INSERT INTO invited_organisations (consultation_id, organisation_id) VALUES ('c_1', 'o_2')",
    "INSERT INTO refresh_tokens (token_hash, session_id, user_id, issued_us, expires_us, used_us) "
    "VALUES ('h', 's_1', 'u_1', 5, 9, NULL)",
    "INSERT INTO audit (at_us, actor, action, target, outcome) VALUES (6, 'u_1', 'login', 's_1', 'ok')",
)


async def first_version(url: str) -> None:
    """A database as the first version left it."""
    engine = create_async_engine(url)

    def build(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    async with engine.begin() as connection:
        await connection.run_sync(build)
        for statement in ROWS:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture
async def old(empty_database_url: str) -> str:
    await asyncio.to_thread(_make_folder, empty_database_url)
    await first_version(empty_database_url)
    return empty_database_url


def _make_folder(url: str) -> None:
    from pathlib import Path

    if url.startswith("sqlite"):
        Path(url.partition(":///")[2]).parent.mkdir(parents=True, exist_ok=True)


async def test_what_the_first_version_stored_is_still_there_and_reads_sensibly(old: str) -> None:
    database = await Database.open(old, FakeClock())
    user = await people.find_user(database, username="li")
    assert user is not None
    assert (user.organisation_name, user.totp_secret, user.guest_of) == ("诊所", None, None)
    found = await consultations.consultation_in_room(database, "demo")
    assert found is not None
    assert (found.header, found.site, found.record, found.paused) == ("张*三", "诊所", True, False)
    assert (found.question, found.specialty, found.consent_record) == ("", "", True)
    assert await consultations.takes_part(database, found, "o_2")
    assert [one.state for one in await consultations.list_consultations(database)] == ["open", "closed"]
    assert [record.action for record in await trail.read_audit(database)] == ["login"]
    await database.close()


async def test_what_is_new_works_on_a_database_that_is_old(old: str) -> None:
    database = await Database.open(old, FakeClock())
    box = await devices.create_device(database, organisation_id="o_1", name="Box", feeds=["ultrasound"])
    await devices.attach_device(database, "c_1", box.device_id)
    assert await devices.is_attached(database, "c_1", box.device_id)
    _, token = await invitations.create_invitation(
        database, consultation_id="c_1", name="G", organisation="", lobby=False, minutes=1, created_by="u_1"
    )
    guest_id = await invitations.redeem_invitation(database, token)
    assert await consultations.guests_of(database, "c_1") == [guest_id]
    await consultations.close_consultation(database, "c_1")
    guest = await people.find_user(database, user_id=guest_id)
    assert guest is not None
    assert guest.disabled
    await database.close()


async def test_rules_of_the_first_version_hold_afterwards(old: str) -> None:
    database = await Database.open(old, FakeClock())
    for statement, error in (
        ("UPDATE audit SET outcome = 'x'", DBAPIError),
        ("UPDATE consultations SET state = 'open', closed_us = NULL WHERE id = 'c_0'", IntegrityError),
        ("UPDATE users SET organisation_id = 'o_none'", IntegrityError),
        ("UPDATE users SET guest_of = 'c_none'", IntegrityError),
        ("INSERT INTO organisations (id, name, created_us) VALUES ('o_3', '诊所', 1)", IntegrityError),
    ):
        with pytest.raises(error):
            async with database.writing() as session:
                await session.execute(text(statement))
    await database.close()


async def test_several_processes_that_start_on_an_old_database_migrate_it_once(old: str) -> None:
    opened = await asyncio.gather(*(Database.open(old, FakeClock()) for _ in range(4)))
    assert len(await consultations.list_consultations(opened[0])) == 2
    for database in opened:
        await database.close()
