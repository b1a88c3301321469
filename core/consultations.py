"""Consultations, as stored: one patient, one room, one inviting organisation and the invited ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Select, or_, select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import Conflict, NotFound, RemoteError
from core.ids import is_name, new_id
from core.tables import ConsultationRow, InvitedOrganisationRow

State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Consultation:
    """`header` is the masked identity. `opened_us`, `closed_us`: Unix microseconds."""

    consultation_id: str
    room: str
    header: str
    state: State
    record: bool
    opened_us: int
    closed_us: int | None
    organisation_id: str


async def open_consultation(
    database: Database,
    *,
    room: str,
    header: str,
    record: bool,
    organisation_id: str,
    invited: Iterable[str] = (),
) -> Consultation:
    """Open one; `invited`: organisation ids. Raises `Conflict` while another one holds the room."""
    if not is_name(room):
        raise RemoteError("a room name has 1–64 of a–z, 0–9 and '-' and starts with a letter or digit")
    row = ConsultationRow(
        id=new_id("c"),
        room=room,
        header=header,
        state="open",
        record=record,
        opened_us=database.now_us(),
        closed_us=None,
        organisation_id=organisation_id,
    )
    try:
        async with database.writing() as session:
            session.add(row)
            await session.flush()
            session.add_all(
                InvitedOrganisationRow(consultation_id=row.id, organisation_id=other)
                for other in set(invited)
            )
    except IntegrityError:
        raise Conflict(f"room {room} holds an open consultation already", code="room_taken") from None
    return _consultation(row)


async def close_consultation(database: Database, consultation_id: str) -> Consultation:
    """Close it; closing twice changes nothing. Raises `NotFound`."""
    async with database.writing() as session:
        row = await session.get(ConsultationRow, consultation_id)
        if row is None:
            raise NotFound("no such consultation")
        if row.state == "open":
            row.state, row.closed_us = "closed", database.now_us()
        await session.flush()
        return _consultation(row)


async def consultation_in_room(database: Database, room: str) -> Consultation | None:
    """The open consultation of a room."""
    query = select(ConsultationRow).where(ConsultationRow.room == room, ConsultationRow.state == "open")
    async with database.reading() as session:
        row = await session.scalar(query)
        return None if row is None else _consultation(row)


async def list_consultations(
    database: Database, *, state: State | None = None, organisation_id: str | None = None, limit: int = 500
) -> list[Consultation]:
    """Newest first; `organisation_id`: only those it opened or is invited to."""
    query = select(ConsultationRow).order_by(ConsultationRow.opened_us.desc()).limit(limit)
    if state is not None:
        query = query.where(ConsultationRow.state == state)
    if organisation_id is not None:
        query = query.where(
            or_(
                ConsultationRow.organisation_id == organisation_id,
                ConsultationRow.id.in_(_invited_to(organisation_id)),
            )
        )
    async with database.reading() as session:
        return [_consultation(row) for row in await session.scalars(query)]


async def takes_part(database: Database, consultation: Consultation, organisation_id: str) -> bool:
    """True for the inviting organisation and the invited ones."""
    if consultation.organisation_id == organisation_id:
        return True
    key = (consultation.consultation_id, organisation_id)
    async with database.reading() as session:
        return await session.get(InvitedOrganisationRow, key) is not None


def _invited_to(organisation_id: str) -> Select[str]:
    return select(InvitedOrganisationRow.consultation_id).where(
        InvitedOrganisationRow.organisation_id == organisation_id
    )


def _consultation(row: ConsultationRow) -> Consultation:
    return Consultation(
        consultation_id=row.id,
        room=row.room,
        header=row.header,
        state=cast(State, row.state),
        record=row.record,
        opened_us=row.opened_us,
        closed_us=row.closed_us,
        organisation_id=row.organisation_id,
    )
