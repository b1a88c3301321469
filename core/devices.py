"""Capture boxes, as stored: whose they are, which feeds they have, where they are attached."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import Database
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.tables import AttachedDeviceRow, ConsultationRow, DeviceRow

Enrolment = Literal["none", "enrolled", "revoked"]


@dataclass(frozen=True, slots=True)
class Device:
    """A capture box. `feeds`: names of the pictures it may publish. `public_key`: base64url, of one that
    enrolled; it counts until it is revoked.
    """

    device_id: str
    organisation_id: str
    name: str
    feeds: tuple[str, ...]
    disabled: bool
    public_key: str | None = None
    enrolled_us: int | None = None
    revoked_us: int | None = None

    @property
    def enrolment(self) -> Enrolment:
        """Whether its key counts."""
        if self.revoked_us is not None:
            return "revoked"
        return "none" if self.public_key is None else "enrolled"


async def create_device(
    database: Database, *, organisation_id: str, name: str, feeds: Iterable[str]
) -> Device:
    """Register a box."""
    row = DeviceRow(
        id=new_id("d"),
        organisation_id=organisation_id,
        name=name,
        feeds=json.dumps(list(feeds)),
        disabled=False,
        created_us=database.now_us(),
    )
    async with database.writing() as session:
        session.add(row)
    return device_of_row(row)


async def find_device(database: Database, device_id: str) -> Device | None:
    async with database.reading() as session:
        row = await session.get(DeviceRow, device_id)
        return None if row is None else device_of_row(row)


async def own_device(database: Database, device_id: str, organisation_id: str) -> Device:
    """Raises `NotFound`, also for a box of another organisation: those do not exist for the caller."""
    found = await find_device(database, device_id)
    if found is None or found.organisation_id != organisation_id:
        raise NotFound("there is no such device", code="device_not_found")
    return found


async def list_devices(database: Database, organisation_id: str | None = None) -> list[Device]:
    """By name; of one organisation, or all."""
    query = select(DeviceRow).order_by(DeviceRow.name, DeviceRow.id)
    if organisation_id is not None:
        query = query.where(DeviceRow.organisation_id == organisation_id)
    async with database.reading() as session:
        return [device_of_row(row) for row in await session.scalars(query)]


async def set_device_disabled(database: Database, device_id: str, disabled: bool) -> None:
    """A disabled box publishes nothing, attached or not. Raises `NotFound`."""
    async with database.writing() as session:
        row = await session.get(DeviceRow, device_id)
        if row is None:
            raise NotFound("there is no such device", code="device_not_found")
        row.disabled = disabled


async def attach_device(database: Database, consultation_id: str, device_id: str) -> None:
    """The box may publish in this consultation; again: nothing changes. Raises `NotFound`, `Conflict`.

    Only the inviting organisation's boxes can be attached: others do not exist here.
    """
    async with database.writing() as session:
        consultation = await session.get(ConsultationRow, consultation_id, with_for_update=True)
        if consultation is None:
            raise NotFound("there is no such consultation", code="consultation_not_found")
        if consultation.state != "open":
            raise Conflict("this consultation is over", code="consultation_closed")
        await check_devices(session, consultation.organisation_id, [device_id])
        await session.merge(AttachedDeviceRow(consultation_id=consultation_id, device_id=device_id))


async def check_devices(session: AsyncSession, organisation_id: str, device_ids: Iterable[str]) -> None:
    """Raises `NotFound` for boxes that are not the organisation's, `Conflict` for those that are shut out."""
    for device_id in device_ids:
        device = await session.get(DeviceRow, device_id)
        if device is None or device.organisation_id != organisation_id:
            raise NotFound("there is no such device", code="device_not_found")
        if device.disabled:
            raise Conflict("this device is disabled", code="device_disabled")
        if device.revoked_us is not None:
            raise Conflict("this device's key was revoked; enrol it anew", code="device_revoked")


async def detach_device(database: Database, consultation_id: str, device_id: str) -> None:
    """It may no longer publish there. Raises `NotFound` when it was not attached."""
    async with database.writing() as session:
        row = await session.get(AttachedDeviceRow, (consultation_id, device_id))
        if row is None:
            raise NotFound("this device is not attached", code="device_not_found")
        await session.execute(
            delete(AttachedDeviceRow).where(
                AttachedDeviceRow.consultation_id == consultation_id, AttachedDeviceRow.device_id == device_id
            )
        )


async def is_attached(database: Database, consultation_id: str, device_id: str) -> bool:
    """True while the box may publish there: attached to the open consultation, and enabled."""
    return device_id in await attached_devices(database, consultation_id)


async def was_attached(database: Database, consultation_id: str, device_id: str) -> bool:
    """True also after the consultation was closed."""
    async with database.reading() as session:
        return await session.get(AttachedDeviceRow, (consultation_id, device_id)) is not None


async def attached_devices(database: Database, consultation_id: str) -> dict[str, Device]:
    """The boxes of an open consultation that are neither disabled nor revoked, by id."""
    query = (
        select(DeviceRow)
        .join(AttachedDeviceRow, AttachedDeviceRow.device_id == DeviceRow.id)
        .join(ConsultationRow, AttachedDeviceRow.consultation_id == ConsultationRow.id)
        .where(
            ConsultationRow.id == consultation_id,
            ConsultationRow.state == "open",
            DeviceRow.disabled.is_(False),
            DeviceRow.revoked_us.is_(None),
        )
    )
    async with database.reading() as session:
        return {row.id: device_of_row(row) for row in await session.scalars(query)}


def device_of_row(row: DeviceRow) -> Device:
    """What is stored, as everybody else sees it."""
    return Device(
        row.id,
        row.organisation_id,
        row.name,
        tuple(json.loads(row.feeds)),
        row.disabled,
        row.public_key,
        row.enrolled_us,
        row.revoked_us,
    )
