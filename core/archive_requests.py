"""What somebody asked for about an archive and another has to approve, as stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, Forbidden, NotFound
from core.ids import new_id
from core.tables import ArchiveRequestRow, ConsultationRow

RequestKind = Literal["shred", "release", "export"]
RequestState = Literal["open", "deciding", "done", "withdrawn"]
OPEN_FOR_US: Final = 7 * 86_400 * 1_000_000
"""How long a request waits for the second person."""


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """`request`: the terms, as `archive.shred_request` spells them. `deciding`: approved, not carried out."""

    request_id: str
    consultation_id: str
    kind: RequestKind
    state: RequestState
    request: str
    requested_by: str
    requested_us: int
    approved_by: str | None
    approved_us: int | None


async def add_request(
    database: Database, consultation_id: str, kind: RequestKind, request: str, by: str
) -> ArchiveRequest:
    """Store what one person asks for."""
    row = ArchiveRequestRow(
        id=new_id("ar"),
        consultation_id=consultation_id,
        kind=kind,
        state="open",
        request=request,
        requested_by=by,
        requested_us=database.now_us(),
        approved_by=None,
        approved_us=None,
    )
    async with database.writing() as session:
        session.add(row)
        await session.flush()
        return _request(row)


async def claim_request(database: Database, consultation_id: str, request_id: str, by: str) -> ArchiveRequest:
    """The second person's word; afterwards it is `deciding`, and only they may repeat it.

    Raises `NotFound`, `Forbidden` (the same person), `Conflict` (decided, withdrawn, too old).
    """
    async with database.writing() as session:
        row = await session.get(ArchiveRequestRow, request_id, with_for_update=True)
        if row is None or row.consultation_id != consultation_id:
            raise NotFound("there is no such request", code="request_not_found")
        if row.requested_by == by:
            raise Forbidden("another person has to approve what you asked for", code="same_person")
        again = row.state == "deciding" and row.approved_by == by
        if not again and row.state != "open":
            raise Conflict("this request was decided already", code="request_decided")
        if not again and database.now_us() - row.requested_us > OPEN_FOR_US:
            raise Conflict("this request is too old: ask again", code="request_expired")
        if not again:
            row.state, row.approved_by, row.approved_us = "deciding", by, database.now_us()
        await session.flush()
        return _request(row)


async def end_request(database: Database, request_id: str, state: RequestState) -> None:
    """`done`, `withdrawn`, or `open` again when nothing came of it."""
    async with database.writing() as session:
        row = await session.get_one(ArchiveRequestRow, request_id, with_for_update=True)
        row.state = state
        if state == "open":
            row.approved_by = row.approved_us = None


async def withdraw_request(database: Database, consultation_id: str, request_id: str) -> None:
    """Anybody who might approve it may also end it. Raises `NotFound`, `Conflict`."""
    async with database.writing() as session:
        row = await session.get(ArchiveRequestRow, request_id, with_for_update=True)
        if row is None or row.consultation_id != consultation_id:
            raise NotFound("there is no such request", code="request_not_found")
        if row.state != "open":
            raise Conflict("this request was decided already", code="request_decided")
        row.state = "withdrawn"


async def open_requests(
    database: Database, *, organisation_id: str | None = None, consultation_id: str | None = None
) -> list[ArchiveRequest]:
    """Those that wait for a second person, oldest first."""
    query = (
        select(ArchiveRequestRow)
        .join(ConsultationRow, ArchiveRequestRow.consultation_id == ConsultationRow.id)
        .where(ArchiveRequestRow.state.in_(("open", "deciding")))
        .where(ArchiveRequestRow.requested_us > database.now_us() - OPEN_FOR_US)
        .order_by(ArchiveRequestRow.id)
    )
    if organisation_id is not None:
        query = query.where(ConsultationRow.organisation_id == organisation_id)
    if consultation_id is not None:
        query = query.where(ArchiveRequestRow.consultation_id == consultation_id)
    async with database.reading() as session:
        return [_request(row) for row in await session.scalars(query)]


def _request(row: ArchiveRequestRow) -> ArchiveRequest:
    return ArchiveRequest(
        row.id,
        row.consultation_id,
        cast(RequestKind, row.kind),
        cast(RequestState, row.state),
        row.request,
        row.requested_by,
        row.requested_us,
        row.approved_by,
        row.approved_us,
    )
