"""Consultations, as stored: one patient, one room, one inviting organisation and the invited ones."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import Database
from core.devices import check_devices
from core.errors import Conflict, NotFound, RemoteError
from core.ids import is_name, new_id
from core.tables import (
    AttachedDeviceRow,
    ConsultationRow,
    DrawingsRow,
    InvitedOrganisationRow,
    OrganisationRow,
    RefreshTokenRow,
    UserRow,
)

State = Literal["open", "closed"]
_ROOM_BYTES: Final = 10
"""80 random bits: a room cannot be guessed, and none is ever named twice."""


@dataclass(frozen=True, slots=True)
class Consultation:
    """`header` is the masked identity. `site`: the inviting organisation's name. `…_us`: Unix microseconds.

    `record`: it is recorded (now). `consent_record`: the patient agrees to that. `retention_class`: how long
    its archive is kept; empty: as the settings say.
    """

    consultation_id: str
    room: str
    header: str
    state: State
    record: bool
    opened_us: int
    closed_us: int | None
    organisation_id: str
    site: str = ""
    opened_by: str = ""
    specialty: str = ""
    question: str = ""
    consent_consult: bool = True
    consent_record: bool = True
    consent_withdrawn_us: int | None = None
    record_reason: str = ""
    paused: bool = False
    retention_class: str = ""


def new_room() -> str:
    """A name for a room: never used before and not to be guessed."""
    return secrets.token_hex(_ROOM_BYTES)


async def open_consultation(
    database: Database,
    *,
    room: str,
    header: str,
    record: bool,
    organisation_id: str,
    invited: Iterable[str] = (),
    devices: Iterable[str] = (),
    opened_by: str = "",
    specialty: str = "",
    question: str = "",
    consent_record: bool = True,
    record_reason: str = "",
    retention_class: str = "",
    distinct: bool = False,
    announce: Callable[[Consultation], Awaitable[None]] | None = None,
) -> Consultation:
    """Open one, whole or not at all; `invited`: organisation ids, `devices`: ids of devices to attach.

    `distinct`: not while the organisation has one open with the same header. Raises `Conflict` for that and
    while another one holds the room, `NotFound` for organisations or devices that do not exist. `announce`:
    awaited just before it is stored for good; when it raises, nothing is.
    """
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
        opened_by=opened_by,
        specialty=specialty,
        question=question,
        consent_consult=True,
        consent_record=consent_record,
        record_reason=record_reason,
        paused=False,
        retention_class=retention_class,
    )
    async with database.writing() as session:
        if distinct:
            await _check_distinct(session, row)
        try:
            session.add(row)
            await session.flush()
        except IntegrityError:
            raise Conflict(f"room {room} holds an open consultation already", code="room_taken") from None
        await _add_invited(session, row, set(invited) - {organisation_id})
        await check_devices(session, organisation_id, wanted := sorted(set(devices)))
        session.add_all(AttachedDeviceRow(consultation_id=row.id, device_id=device) for device in wanted)
        await session.flush()
        opened = _consultation(row, await _site(session, row))
        if announce is not None:
            await announce(opened)
        return opened


async def close_consultation(database: Database, consultation_id: str) -> Consultation:
    """Close it, and with it its guests' accounts; its drawings are in its archive alone from now on. Closing
    twice changes nothing. Raises `NotFound`.
    """
    async with database.writing() as session:
        row = await _locked(session, consultation_id)
        if row.state == "open":
            row.state, row.closed_us = "closed", database.now_us()
            await _close_guests(session, consultation_id)
            await session.execute(delete(DrawingsRow).where(DrawingsRow.consultation_id == consultation_id))
        await session.flush()
        return _consultation(row, await _site(session, row))


async def guests_of(database: Database, consultation_id: str) -> list[str]:
    """User ids of everybody who came by one of its invitations."""
    async with database.reading() as session:
        return list(await session.scalars(select(UserRow.id).where(UserRow.guest_of == consultation_id)))


async def set_paused(database: Database, consultation_id: str, paused: bool) -> Consultation:
    """Begin or end the privacy pause. Raises `NotFound`."""
    async with database.writing() as session:
        row = await _locked(session, consultation_id)
        row.paused = paused
        await session.flush()
        return _consultation(row, await _site(session, row))


async def set_record(
    database: Database,
    consultation_id: str,
    record: bool,
    *,
    consent: bool = False,
    announce: Callable[[], Awaitable[None]] | None = None,
) -> Consultation:
    """Record from now on, or not for now; `consent`: the patient has agreed meanwhile. `announce`: awaited
    just before it is stored; when it raises, nothing is.

    Raises `NotFound`; `Conflict` (`consent_withdrawn`, `consent_needed`) when the patient does not agree.
    """
    async with database.writing() as session:
        row = await _locked(session, consultation_id)
        if record:
            _check_may_record(row, consent)
            row.consent_record = True
        row.record = record
        await session.flush()
        if announce is not None:
            await announce()
        return _consultation(row, await _site(session, row))


def _check_may_record(row: ConsultationRow, consent: bool) -> None:
    if row.consent_withdrawn_us is not None:
        raise Conflict("consent that was withdrawn cannot be given again", code="consent_withdrawn")
    if not row.consent_record and not consent:
        raise Conflict("ask the patient first: recording needs consent", code="consent_needed")


async def withdraw_consent(database: Database, consultation_id: str) -> Consultation:
    """The patient no longer agrees to be recorded: recording ends for good. Again: nothing changes."""
    async with database.writing() as session:
        row = await _locked(session, consultation_id)
        if row.consent_record:
            row.consent_record, row.record = False, False
            row.consent_withdrawn_us = database.now_us()
        await session.flush()
        return _consultation(row, await _site(session, row))


async def invite_organisation(database: Database, consultation_id: str, organisation_id: str) -> None:
    """Its people may take part from now on; again: nothing changes. Raises `NotFound`, `Conflict`."""
    async with database.writing() as session:
        row = await _locked(session, consultation_id)
        if row.state != "open":
            raise Conflict("this consultation is over", code="consultation_closed")
        if await session.get(OrganisationRow, organisation_id) is None:
            raise NotFound("there is no such organisation", code="organisation_not_found")
        if organisation_id != row.organisation_id:
            await session.merge(
                InvitedOrganisationRow(consultation_id=consultation_id, organisation_id=organisation_id)
            )


async def find_consultation(database: Database, consultation_id: str) -> Consultation | None:
    """Open or closed, by id."""
    return await _one(database, _with_site().where(ConsultationRow.id == consultation_id))


async def consultation_in_room(database: Database, room: str) -> Consultation | None:
    """The open consultation of a room."""
    query = _with_site().where(ConsultationRow.room == room, ConsultationRow.state == "open")
    return await _one(database, query)


async def list_consultations(
    database: Database,
    *,
    state: State | None = None,
    organisation_id: str | None = None,
    consultation_id: str | None = None,
    limit: int | None = 500,
) -> list[Consultation]:
    """Newest first; `limit` None: all.

    `organisation_id`: those it opened or is invited to; `consultation_id`: only that one.
    """
    query = _with_site().order_by(ConsultationRow.opened_us.desc()).limit(limit)
    if state is not None:
        query = query.where(ConsultationRow.state == state)
    if consultation_id is not None:
        query = query.where(ConsultationRow.id == consultation_id)
    if organisation_id is not None:
        query = query.where(
            or_(
                ConsultationRow.organisation_id == organisation_id,
                ConsultationRow.id.in_(_invited_to(organisation_id)),
            )
        )
    async with database.reading() as session:
        return [_consultation(row, site) for row, site in await session.execute(query)]


async def open_among(database: Database, consultation_ids: Iterable[str]) -> set[str]:
    """Those of them that are open."""
    query = select(ConsultationRow.id).where(
        ConsultationRow.id.in_(list(consultation_ids)), ConsultationRow.state == "open"
    )
    async with database.reading() as session:
        return set(await session.scalars(query))


async def takes_part(database: Database, consultation: Consultation, organisation_id: str) -> bool:
    """True for the inviting organisation and the invited ones."""
    if consultation.organisation_id == organisation_id:
        return True
    key = (consultation.consultation_id, organisation_id)
    async with database.reading() as session:
        return await session.get(InvitedOrganisationRow, key) is not None


async def _check_distinct(session: AsyncSession, row: ConsultationRow) -> None:
    """The organisation's row is locked, so that of two equal forms sent at once one is refused.

    But not for those who only refer to it: two that invite each other would wait for ever.
    """
    await session.get(OrganisationRow, row.organisation_id, with_for_update={"key_share": True})
    query = select(ConsultationRow.id).where(
        ConsultationRow.organisation_id == row.organisation_id,
        ConsultationRow.state == "open",
        ConsultationRow.header == row.header,
    )
    if await session.scalar(query.limit(1)) is not None:
        raise Conflict("a consultation of this patient is open already; enter it", code="already_open")


async def _add_invited(session: AsyncSession, row: ConsultationRow, organisations: set[str]) -> None:
    for other in sorted(organisations):
        if await session.get(OrganisationRow, other) is None:
            raise NotFound("there is no such organisation", code="organisation_not_found")
        session.add(InvitedOrganisationRow(consultation_id=row.id, organisation_id=other))


async def _locked(session: AsyncSession, consultation_id: str) -> ConsultationRow:
    """For changing it. Raises `NotFound`."""
    row = await session.get(ConsultationRow, consultation_id, with_for_update=True)
    if row is None:
        raise NotFound("there is no such consultation", code="consultation_not_found")
    return row


async def _close_guests(session: AsyncSession, consultation_id: str) -> None:
    guests = select(UserRow.id).where(UserRow.guest_of == consultation_id)
    await session.execute(delete(RefreshTokenRow).where(RefreshTokenRow.user_id.in_(guests)))
    await session.execute(update(UserRow).where(UserRow.guest_of == consultation_id).values(disabled=True))


async def _one(database: Database, query: Select[ConsultationRow, str]) -> Consultation | None:
    async with database.reading() as session:
        found = (await session.execute(query)).one_or_none()
        return None if found is None else _consultation(found[0], found[1])


async def _site(session: AsyncSession, row: ConsultationRow) -> str:
    return (await session.get_one(OrganisationRow, row.organisation_id)).name


def _with_site() -> Select[ConsultationRow, str]:
    return select(ConsultationRow, OrganisationRow.name).join(
        OrganisationRow, ConsultationRow.organisation_id == OrganisationRow.id
    )


def _invited_to(organisation_id: str) -> Select[str]:
    return select(InvitedOrganisationRow.consultation_id).where(
        InvitedOrganisationRow.organisation_id == organisation_id
    )


def _consultation(row: ConsultationRow, site: str) -> Consultation:
    return Consultation(
        consultation_id=row.id,
        room=row.room,
        header=row.header,
        state=cast(State, row.state),
        record=row.record,
        opened_us=row.opened_us,
        closed_us=row.closed_us,
        organisation_id=row.organisation_id,
        site=site,
        opened_by=row.opened_by,
        specialty=row.specialty,
        question=row.question,
        consent_consult=row.consent_consult,
        consent_record=row.consent_record,
        consent_withdrawn_us=row.consent_withdrawn_us,
        record_reason=row.record_reason,
        paused=row.paused,
        retention_class=row.retention_class,
    )
