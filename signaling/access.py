"""Who may do what: the one place that decides, for people, guests, services and capture boxes.

Callers of the REST API come with an access token, everything that is in a room with a room token. The answer
for somebody who may not know of a consultation is always the same as for one that does not exist.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from core import consultations, devices, invitations, removals
from core.consultations import Consultation, consultation_in_room
from core.database import Database
from core.errors import Forbidden, NotFound
from core.ids import is_id, is_name
from core.tokens import AccessClaims, RoomClaims

Caller = Literal["specialist", "site", "auditor", "admin", "recorder", "guest"]
DEVICE_PREFIX: Final = "device:"


def caller_of(claims: AccessClaims) -> Caller:
    """The kind of caller: the role, except that guests are their own kind. Raises `Forbidden` for devices."""
    if claims.con is not None:
        return "guest"
    if claims.role == "device":
        raise Forbidden("devices use room tokens only", code="role_may_not")
    return cast(Caller, claims.role)


async def takes_part(database: Database, consultation: Consultation, claims: AccessClaims) -> bool:
    """The inviting and the invited organisations' people, the consultation's guests, and the recorder."""
    if claims.con is not None:
        return claims.con == consultation.consultation_id and consultation.state == "open"
    if claims.role == "recorder":
        return True
    return await consultations.takes_part(database, consultation, claims.org)


def is_host(consultation: Consultation, claims: AccessClaims) -> bool:
    """A site person of the organisation that opened it."""
    return claims.con is None and claims.role == "site" and claims.org == consultation.organisation_id


def is_own(consultation: Consultation, claims: AccessClaims) -> bool:
    """Of the organisation that opened it."""
    return claims.con is None and claims.org == consultation.organisation_id


async def consultation_by_id(database: Database, claims: AccessClaims, wanted: str) -> Consultation:
    """One the caller takes part in. Raises `NotFound`."""
    found = await consultations.find_consultation(database, wanted) if is_id(wanted) else None
    if found is None or not await takes_part(database, found, claims):
        raise NotFound("there is no such consultation", code="consultation_not_found")
    return found


async def consultation_by_room(database: Database, claims: AccessClaims, room: str) -> Consultation:
    """The open one of that room, if the caller takes part. Raises `NotFound`."""
    found = await consultation_in_room(database, room) if is_name(room) else None
    if found is None or not await takes_part(database, found, claims):
        raise NotFound("there is no such open consultation", code="room_not_found")
    return found


async def consultation_of_token(database: Database, claims: RoomClaims, room: str) -> Consultation:
    """The open consultation a room token is for. Raises `Forbidden` or `NotFound`."""
    if claims.room != room:
        raise Forbidden("this token is for another room", code="wrong_room")
    found = await consultation_in_room(database, room) if is_name(room) else None
    if found is None or found.consultation_id != claims.con:
        raise NotFound("this consultation is over", code="consultation_closed")
    await _check_device(database, claims)
    return found


async def needs_lobby(database: Database, claims: AccessClaims) -> bool:
    """True for a guest who has to knock: the invitation says so, and no host has let them in yet."""
    return claims.con is not None and not await invitations.is_admitted(database, claims.sub)


async def is_waiting(database: Database, claims: RoomClaims) -> bool:
    """True for a guest whom no host has let in yet, and for anybody a host sent out."""
    if await removals.is_removed(database, claims.con, claims.sub):
        return True
    return claims.grants.lobby and not await invitations.is_admitted(database, claims.sub)


async def _check_device(database: Database, claims: RoomClaims) -> None:
    """A registered box publishes only while its site has it attached, and it is not disabled."""
    device_id = device_of(claims.sub)
    if device_id is not None and not await devices.is_attached(database, claims.con, device_id):
        raise Forbidden("this device is not attached to the consultation", code="device_not_attached")


def device_of(subject: str) -> str | None:
    """The id of the registered box whose room tokens say `subject`.

    None for people, and for plain encoders: an administrator made their tokens for one consultation.
    """
    device_id = subject.removeprefix(DEVICE_PREFIX)
    registered = subject.startswith(DEVICE_PREFIX) and is_id(device_id)
    return device_id if registered else None
