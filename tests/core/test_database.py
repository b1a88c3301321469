"""The database as its users see it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core import consultations, people, sessions, trail
from core.database import Database
from core.errors import Conflict, NotFound, RemoteError, Unauthorized
from core.tables import Base
from tests.core.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str, clock: FakeClock) -> AsyncIterator[Database]:
    database = await Database.open(database_url, clock)
    yield database
    await database.close()


async def _someone(database: Database, username: str = "li") -> people.User:
    organisation = await people.find_organisation(database, "Clinic")
    return await people.create_user(
        database,
        username=username,
        password_hash="hash",
        role="site",
        organisation=organisation or await people.create_organisation(database, "Clinic"),
        display_name="Dr Li",
    )


async def test_migrations_build_exactly_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    async with database.reading() as session:
        assert await (await session.connection()).run_sync(differences) == []


async def test_opening_many_times_at_once_migrates_once_and_keeps_the_data(
    empty_database_url: str, clock: FakeClock
) -> None:
    opening = (Database.open(empty_database_url, clock) for _ in range(6))
    first, second, *others = await asyncio.gather(*opening)
    await _someone(first)
    await first.close()
    for other in (second, *others):
        await other.close()
    third = await Database.open(empty_database_url, clock)
    assert (await people.find_user(third, username="li")) is not None
    await third.close()


async def test_sqlite_writes_ahead_checks_references_and_is_its_owners_alone(
    tmp_path: Path, clock: FakeClock
) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/wal.db", clock)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("wal.db*")} == {0o600}
    async with database.reading() as session:
        assert (await session.scalar(text("PRAGMA journal_mode"))) == "wal"
        assert (await session.scalar(text("PRAGMA foreign_keys"))) == 1
    await database.close()


async def test_a_person_is_found_by_name_and_by_id(database: Database) -> None:
    user = await _someone(database)
    assert user.organisation_name == "Clinic"
    assert await people.find_user(database, username="li") == user
    assert await people.find_user(database, user_id=user.user_id) == user
    assert await people.find_user(database, username="nobody") is None


async def test_a_name_is_given_once(database: Database) -> None:
    await _someone(database)
    with pytest.raises(Conflict):
        await _someone(database)
    with pytest.raises(Conflict):
        await people.create_organisation(database, "Clinic")


@pytest.mark.parametrize("username", ["", "Li", "a b", "-a", "a" * 65, "a/b"])
async def test_odd_user_names_are_refused(database: Database, username: str) -> None:
    with pytest.raises(RemoteError):
        await _someone(database, username)


async def test_a_room_holds_one_open_consultation_at_a_time(database: Database) -> None:
    user = await _someone(database)
    details = {"room": "demo", "header": "张*三", "record": True, "organisation_id": user.organisation_id}
    first = await consultations.open_consultation(database, **details)
    with pytest.raises(Conflict):
        await consultations.open_consultation(database, **details)
    closed = await consultations.close_consultation(database, first.consultation_id)
    assert (closed.state, closed.closed_us) == ("closed", database.now_us())
    second = await consultations.open_consultation(database, **details)
    found = await consultations.consultation_in_room(database, "demo")
    assert found is not None
    assert found.consultation_id == second.consultation_id != first.consultation_id


async def test_closing_again_keeps_the_first_time(database: Database, clock: FakeClock) -> None:
    user = await _someone(database)
    consultation = await consultations.open_consultation(
        database, room="a", header="", record=False, organisation_id=user.organisation_id
    )
    first = await consultations.close_consultation(database, consultation.consultation_id)
    clock.advance(5)
    assert await consultations.close_consultation(database, consultation.consultation_id) == first
    with pytest.raises(NotFound):
        await consultations.close_consultation(database, "c_none")


async def test_organisations_see_their_own_consultations_and_those_they_are_invited_to(
    database: Database,
) -> None:
    user = await _someone(database)
    invited = await people.create_organisation(database, "Invited")
    stranger = await people.create_organisation(database, "Stranger")
    consultation = await consultations.open_consultation(
        database,
        room="demo",
        header="",
        record=True,
        organisation_id=user.organisation_id,
        invited=[invited.organisation_id],
    )
    seen = {
        organisation: [
            found.room
            for found in await consultations.list_consultations(
                database, state="open", organisation_id=organisation
            )
        ]
        for organisation in (user.organisation_id, invited.organisation_id, stranger.organisation_id)
    }
    assert list(seen.values()) == [["demo"], ["demo"], []]
    assert await consultations.takes_part(database, consultation, invited.organisation_id)
    assert not await consultations.takes_part(database, consultation, stranger.organisation_id)


@pytest.mark.parametrize("statement", ["UPDATE audit SET outcome = 'x'", "DELETE FROM audit"])
async def test_the_audit_trail_cannot_be_changed_by_sql(database: Database, statement: str) -> None:
    await trail.record_audit(database, "u_1", "login", "demo")
    before = await trail.read_audit(database)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.writing() as session:
            await session.execute(text(statement))
    assert await trail.read_audit(database) == before
    assert before[-1].action == "login"


async def test_a_refresh_token_is_exchanged_and_two_tabs_may_race(
    database: Database, clock: FakeClock
) -> None:
    user = await _someone(database)
    first = await sessions.start_session(database, user.user_id)
    second = await sessions.refresh_session(database, first.refresh_token)
    clock.advance(5)
    third = await sessions.refresh_session(database, first.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert first.session_id == second.session_id == third.session_id


async def test_a_refresh_token_used_again_later_ends_the_session(
    database: Database, clock: FakeClock
) -> None:
    user = await _someone(database)
    first = await sessions.start_session(database, user.user_id)
    second = await sessions.refresh_session(database, first.refresh_token)
    clock.advance(60)
    with pytest.raises(sessions.Reused) as caught:
        await sessions.refresh_session(database, first.refresh_token)
    assert caught.value.session_id == first.session_id
    with pytest.raises(Unauthorized):
        await sessions.refresh_session(database, second.refresh_token)


async def test_a_session_ends_after_a_shift_however_often_it_is_refreshed(
    database: Database, clock: FakeClock
) -> None:
    session = await sessions.start_session(database, (await _someone(database)).user_id)
    clock.advance(8 * 3600)
    session = await sessions.refresh_session(database, session.refresh_token)
    clock.advance(8 * 3600)
    with pytest.raises(Unauthorized):
        await sessions.refresh_session(database, session.refresh_token)


async def test_ended_sessions_cannot_be_refreshed(database: Database) -> None:
    user = await _someone(database)
    one, two = [await sessions.start_session(database, user.user_id) for _ in range(2)]
    await sessions.end_session(database, one.session_id)
    with pytest.raises(Unauthorized):
        await sessions.refresh_session(database, one.refresh_token)
    two = await sessions.refresh_session(database, two.refresh_token)
    await sessions.end_user_sessions(database, user.user_id)
    with pytest.raises(Unauthorized):
        await sessions.refresh_session(database, two.refresh_token)


async def test_refresh_tokens_are_not_kept_in_clear(database: Database) -> None:
    session = await sessions.start_session(database, (await _someone(database)).user_id)
    async with database.reading() as reading:
        stored = (await reading.execute(text("SELECT * FROM refresh_tokens"))).one()
    assert session.refresh_token not in map(str, stored)


async def test_revocations_are_kept_until_every_token_they_void_has_expired(
    database: Database, clock: FakeClock
) -> None:
    now_us = database.now_us()
    await sessions.store_revocation(database, "s_1", now_us, now_us + 60_000_000)
    assert await sessions.load_revocations(database) == {"s_1": (now_us, now_us + 60_000_000)}
    clock.advance(61)
    await sessions.store_revocation(database, "s_2", database.now_us(), database.now_us() + 1)
    assert list(await sessions.load_revocations(database)) == ["s_2"]
