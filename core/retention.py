"""Retention classes, and whose time is over. A class counts once two people defined it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from sqlalchemy import select, update

from core.database import Database
from core.errors import Conflict, Forbidden, NotFound
from core.ids import new_id
from core.tables import ConsultationRow, RetentionClassRow

ClassState = Literal["proposed", "active", "retired"]
US_PER_DAY: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """`days` after a consultation's end its archive is shredded; `remove_objects`: its ciphertext, too."""

    class_id: str
    organisation_id: str
    name: str
    days: int
    remove_objects: bool
    state: ClassState
    proposed_by: str
    proposed_us: int
    approved_by: str | None
    approved_us: int | None


@dataclass(frozen=True, slots=True)
class Expired:
    """A consultation whose time is over, and the class that says so."""

    consultation_id: str
    closed_us: int
    retention: RetentionClass


async def propose_class(
    database: Database, organisation_id: str, name: str, days: int, remove_objects: bool, by: str
) -> RetentionClass:
    """One person's word: it has no effect yet."""
    row = RetentionClassRow(
        id=new_id("rc"),
        organisation_id=organisation_id,
        name=name,
        days=days,
        remove_objects=remove_objects,
        state="proposed",
        proposed_by=by,
        proposed_us=database.now_us(),
        approved_by=None,
        approved_us=None,
    )
    async with database.writing() as session:
        session.add(row)
        await session.flush()
        return _class(row)


async def approve_class(database: Database, organisation_id: str, class_id: str, by: str) -> RetentionClass:
    """The second person's word: it counts from now on, in place of an older one of that name.

    Raises `NotFound`, `Conflict` (not proposed any more), `Forbidden` (the same person).
    """
    async with database.writing() as session:
        row = await session.get(RetentionClassRow, class_id, with_for_update=True)
        if row is None or row.organisation_id != organisation_id:
            raise NotFound("there is no such class", code="class_not_found")
        if row.state != "proposed":
            raise Conflict("this class was decided already", code="class_decided")
        if row.proposed_by == by:
            raise Forbidden("another person has to approve what you proposed", code="same_person")
        older = (
            update(RetentionClassRow)
            .where(RetentionClassRow.organisation_id == organisation_id)
            .where(RetentionClassRow.name == row.name, RetentionClassRow.state == "active")
            .values(state="retired")
        )
        await session.execute(older)
        row.state, row.approved_by, row.approved_us = "active", by, database.now_us()
        await session.flush()
        return _class(row)


async def list_classes(database: Database, organisation_id: str) -> list[RetentionClass]:
    """All, by name; the newest of each first."""
    query = (
        select(RetentionClassRow)
        .where(RetentionClassRow.organisation_id == organisation_id)
        .order_by(RetentionClassRow.name, RetentionClassRow.proposed_us.desc())
    )
    async with database.reading() as session:
        return [_class(row) for row in await session.scalars(query)]


async def active_class(database: Database, organisation_id: str, name: str) -> RetentionClass | None:
    """The class of that name that counts now; None: what has it is kept for ever."""
    found = await list_classes(database, organisation_id)
    return next((item for item in found if item.name == name and item.state == "active"), None)


async def active_classes(database: Database, organisation_id: str) -> list[RetentionClass]:
    """Those that count now, the one that keeps longest first."""
    found = await list_classes(database, organisation_id)
    return sorted((item for item in found if item.state == "active"), key=lambda item: -item.days)


async def class_of(database: Database, consultation_id: str, default: str) -> tuple[str, str]:
    """A consultation's organisation, and its class's name. Raises `NotFound`."""
    async with database.reading() as session:
        row = await session.get(ConsultationRow, consultation_id)
    if row is None:
        raise NotFound("there is no such consultation", code="consultation_not_found")
    return row.organisation_id, row.retention_class or default


async def set_class(database: Database, consultation_id: str, name: str) -> None:
    """How long one consultation is kept."""
    await _set(database, consultation_id, retention_class=name)


async def set_shredded(database: Database, consultation_id: str) -> None:
    """Its key is gone, here and in the store."""
    await _set(database, consultation_id, shredded_us=database.now_us())


async def shredded_us(database: Database, consultation_id: str) -> int | None:
    """When its key was destroyed; None: it was not."""
    query = select(ConsultationRow.shredded_us).where(ConsultationRow.id == consultation_id)
    async with database.reading() as session:
        return await session.scalar(query)


async def decisions_logged(database: Database, consultation_id: str) -> int:
    """How many of an archive's decisions are in the service's log."""
    query = select(ConsultationRow.decisions_logged).where(ConsultationRow.id == consultation_id)
    async with database.reading() as session:
        return await session.scalar(query) or 0


async def set_decisions_logged(database: Database, consultation_id: str, count: int) -> None:
    """So many are in the log now."""
    await _set(database, consultation_id, decisions_logged=count)


async def not_shredded(database: Database) -> list[str]:
    """Ids of all closed consultations whose key is not known to be destroyed, oldest first."""
    query = (
        select(ConsultationRow.id)
        .where(ConsultationRow.state == "closed", ConsultationRow.shredded_us.is_(None))
        .order_by(ConsultationRow.id)
    )
    async with database.reading() as session:
        return list(await session.scalars(query))


async def expired(database: Database, default: str) -> list[Expired]:
    """Consultations whose class says that they are kept no longer, the oldest first."""
    now_us = database.now_us()
    active = select(RetentionClassRow).where(RetentionClassRow.state == "active")
    closed = (
        select(ConsultationRow)
        .where(ConsultationRow.state == "closed", ConsultationRow.shredded_us.is_(None))
        .order_by(ConsultationRow.closed_us)
    )
    async with database.reading() as session:
        classes = {(row.organisation_id, row.name): _class(row) for row in await session.scalars(active)}
        rows = list(await session.scalars(closed)) if classes else []
    found = []
    for row in rows:
        kept = classes.get((row.organisation_id, row.retention_class or default))
        if kept is None or row.closed_us is None:
            continue
        if row.closed_us + kept.days * US_PER_DAY <= now_us:
            found.append(Expired(row.id, row.closed_us, kept))
    return found


async def _set(database: Database, consultation_id: str, **values: object) -> None:
    async with database.writing() as session:
        await session.execute(
            update(ConsultationRow).where(ConsultationRow.id == consultation_id).values(**values)
        )


def _class(row: RetentionClassRow) -> RetentionClass:
    return RetentionClass(
        row.id,
        row.organisation_id,
        row.name,
        row.days,
        row.remove_objects,
        cast(ClassState, row.state),
        row.proposed_by,
        row.proposed_us,
        row.approved_by,
        row.approved_us,
    )
