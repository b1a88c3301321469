"""How capture boxes get in, as stored: one-time codes, and the keys that were registered with them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import Database
from core.device_access import CODE_BYTES, code_hash, code_of, normal_code
from core.devices import Device, device_of_row
from core.errors import Conflict, NotFound, RemoteError
from core.tables import AttachedDeviceRow, ConsultationRow, DeviceRow, EnrolmentRow

DEFAULT_MINUTES: Final = 24 * 60
MAX_MINUTES: Final = 7 * 24 * 60
_US_PER_MINUTE: Final = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """Shown once. `expires_us`: Unix microseconds."""

    device: Device
    code: str = field(repr=False)
    expires_us: int


@dataclass(frozen=True, slots=True)
class Registered:
    """`again`: the same box had registered the same key with the same code already; nothing changed."""

    device: Device
    again: bool


async def create_code(
    database: Database, device_id: str, *, organisation_id: str | None = None, minutes: int = DEFAULT_MINUTES
) -> EnrolmentCode:
    """A code for that box; earlier ones that were not used are worth nothing from now on.

    `organisation_id`: whose box it must be; others do not exist for the caller. Raises `NotFound`,
    `Conflict`.
    """
    code, now_us = code_of(secrets.token_bytes(CODE_BYTES)), database.now_us()
    expires_us = now_us + minutes * _US_PER_MINUTE
    async with database.writing() as session:
        row = await _own(session, device_id, organisation_id)
        if row.disabled:
            raise Conflict("this device is disabled", code="device_disabled")
        unused = (EnrolmentRow.device_id == device_id, EnrolmentRow.used_us.is_(None))
        await session.execute(delete(EnrolmentRow).where(*unused))
        hashed = code_hash(normal_code(code) or "")
        session.add(
            EnrolmentRow(code_hash=hashed, device_id=device_id, created_us=now_us, expires_us=expires_us)
        )
        return EnrolmentCode(device_of_row(row), code, expires_us)


async def register_key(database: Database, code: str, public_key: str) -> Registered:
    """Exchange a code, once, for the registration of a key; an earlier key of that box is void.

    Raises `NotFound` `enrolment_unknown`, `RemoteError` 410 `enrolment_used` or `enrolment_expired`,
    `Conflict` `device_disabled`.
    """
    normal, now_us = normal_code(code), database.now_us()
    async with database.writing() as session:
        row = None
        if normal is not None:
            row = await session.get(EnrolmentRow, code_hash(normal), with_for_update=True)
        if row is None:
            raise NotFound(
                "this code does not exist; check it, or ask for a new one", code="enrolment_unknown"
            )
        device = await session.get_one(DeviceRow, row.device_id, with_for_update=True)
        is_again = row.used_us is not None and row.used_key == public_key == device.public_key
        if is_again and device.revoked_us is None:
            return Registered(device_of_row(device), again=True)  # the answer was lost on its way
        _check_usable(row, device, now_us)
        row.used_us, row.used_key = now_us, public_key
        device.public_key, device.enrolled_us, device.revoked_us = public_key, now_us, None
        await session.flush()
        return Registered(device_of_row(device), again=False)


async def revoke_key(database: Database, device_id: str, organisation_id: str | None = None) -> Device:
    """Its key opens nothing any more, nor does a code that waits to be used; again: nothing changes.

    Raises `NotFound`, also for a box of another organisation than the one named.
    """
    async with database.writing() as session:
        row = await _own(session, device_id, organisation_id)
        row.revoked_us = row.revoked_us or database.now_us()
        unused = (EnrolmentRow.device_id == device_id, EnrolmentRow.used_us.is_(None))
        await session.execute(delete(EnrolmentRow).where(*unused))
        return device_of_row(row)


async def assigned_consultation(database: Database, device_id: str) -> str | None:
    """The open consultation that the box is attached to; of several the newest."""
    query = (
        select(ConsultationRow.id)
        .join(AttachedDeviceRow, AttachedDeviceRow.consultation_id == ConsultationRow.id)
        .where(AttachedDeviceRow.device_id == device_id, ConsultationRow.state == "open")
        .order_by(ConsultationRow.opened_us.desc(), ConsultationRow.id.desc())
        .limit(1)
    )
    async with database.reading() as session:
        return await session.scalar(query)


async def _own(session: AsyncSession, device_id: str, organisation_id: str | None) -> DeviceRow:
    row = await session.get(DeviceRow, device_id, with_for_update=True)
    if row is None or organisation_id not in (None, row.organisation_id):
        raise NotFound("there is no such device", code="device_not_found")
    return row


def _check_usable(row: EnrolmentRow, device: DeviceRow, now_us: int) -> None:
    if row.used_us is not None:
        raise RemoteError("this code was used already; ask for a new one", code="enrolment_used", status=410)
    if row.expires_us <= now_us:
        raise RemoteError("this code has expired; ask for a new one", code="enrolment_expired", status=410)
    if device.disabled:
        raise Conflict("this device is disabled; ask the administrator", code="device_disabled")
