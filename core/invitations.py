"""Invitations by link, as stored: a one-time token that makes its bearer the guest of one consultation."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import Database
from core.errors import Conflict, NotFound, RemoteError
from core.ids import new_id
from core.tables import ConsultationRow, InvitationRow, RefreshTokenRow, UserRow

InvitationState = Literal["open", "used", "expired", "revoked"]
MAX_INVITATIONS: Final = 200
"""Of one consultation, all states together."""
_US_PER_MINUTE: Final = 60 * 1_000_000
AGAIN_WITHIN_US: Final = 60 * 1_000_000
"""How long after its use the same client may redeem an invitation again: the answer may have been lost."""
GUEST_PREFIX: Final = "guest-"


@dataclass(frozen=True, slots=True)
class Invitation:
    """`guest_id`: the user who came by it. Times are Unix microseconds."""

    invitation_id: str
    consultation_id: str
    name: str
    organisation: str
    lobby: bool
    state: InvitationState
    expires_us: int
    admitted_us: int | None
    guest_id: str | None


async def create_invitation(
    database: Database,
    *,
    consultation_id: str,
    name: str,
    organisation: str,
    lobby: bool,
    minutes: int,
    created_by: str,
) -> tuple[Invitation, str]:
    """A new invitation and its token, which is not kept. Raises `NotFound`, `Conflict`."""
    token = secrets.token_urlsafe(32)
    now_us = database.now_us()
    row = InvitationRow(
        id=new_id("i"),
        consultation_id=consultation_id,
        token_hash=_hash(token),
        name=name,
        organisation=organisation,
        lobby=lobby,
        created_by=created_by,
        created_us=now_us,
        expires_us=now_us + minutes * _US_PER_MINUTE,
    )
    async with database.writing() as session:
        await _check_room_for_one_more(session, consultation_id)
        session.add(row)
        await session.flush()
        return _invitation(row, now_us), token


async def list_invitations(database: Database, consultation_id: str) -> list[Invitation]:
    """Newest first."""
    query = select(InvitationRow).where(InvitationRow.consultation_id == consultation_id)
    async with database.reading() as session:
        rows = await session.scalars(query.order_by(InvitationRow.created_us.desc(), InvitationRow.id.desc()))
        return [_invitation(row, database.now_us()) for row in rows]


async def redeem_invitation(
    database: Database, token: str, name: str | None = None, client_secret: str | None = None
) -> str:
    """Exchange the token, once, for a guest's account; its user id. `name`: what the guest is to be called.

    `client_secret`: whoever says the same one again within `AGAIN_WITHIN_US` is the same guest again.
    Raises `NotFound` `invitation_unknown`, `RemoteError` 410 `invitation_used`, `_expired` or `_revoked`.
    """
    async with database.writing() as session:
        query = select(InvitationRow).where(InvitationRow.token_hash == _hash(token)).with_for_update()
        row = await session.scalar(query)
        if row is None:
            raise NotFound("this invitation does not exist; ask for a new link", code="invitation_unknown")
        consultation = await session.get_one(ConsultationRow, row.consultation_id, with_for_update=True)
        is_open, client_hash = (
            consultation.state == "open",
            None if client_secret is None else _hash(client_secret),
        )
        if row.guest_id is not None and is_open and _may_again(row, client_hash, database.now_us()):
            return row.guest_id
        _check_usable(_state(row, database.now_us(), is_open))
        guest = _guest(row, consultation, name or row.name, database.now_us())
        session.add(guest)
        await session.flush()
        row.used_us, row.guest_id, row.client_hash = database.now_us(), guest.id, client_hash
        await session.flush()
        return guest.id


async def revoke_invitation(database: Database, consultation_id: str, invitation_id: str) -> str | None:
    """It lets nobody in any more; again: nothing changes. The guest who came by it, whose account is closed.

    Raises `NotFound` for an invitation of another consultation.
    """
    async with database.writing() as session:
        row = await session.get(InvitationRow, invitation_id, with_for_update=True)
        if row is None or row.consultation_id != consultation_id:
            raise NotFound("there is no such invitation", code="invitation_not_found")
        await _revoke(session, row, database.now_us())
        return row.guest_id


async def revoke_guest(database: Database, guest_id: str) -> None:
    """End the invitation a guest came by, and the guest's account."""
    async with database.writing() as session:
        row = await session.scalar(
            select(InvitationRow).where(InvitationRow.guest_id == guest_id).with_for_update()
        )
        if row is not None:
            await _revoke(session, row, database.now_us())


async def admit_guest(database: Database, guest_id: str) -> None:
    """A host let the guest in: coming back needs no knock."""
    async with database.writing() as session:
        await session.execute(
            update(InvitationRow)
            .where(InvitationRow.guest_id == guest_id, InvitationRow.admitted_us.is_(None))
            .values(admitted_us=database.now_us())
        )


async def is_admitted(database: Database, guest_id: str) -> bool:
    """True for a guest who may come in without a knock."""
    invitation = await invitation_of_guest(database, guest_id)
    return invitation is not None and (not invitation.lobby or invitation.admitted_us is not None)


async def invitation_of_guest(database: Database, guest_id: str) -> Invitation | None:
    """The invitation a guest came by."""
    async with database.reading() as session:
        row = await session.scalar(select(InvitationRow).where(InvitationRow.guest_id == guest_id))
        return None if row is None else _invitation(row, database.now_us())


async def _check_room_for_one_more(session: AsyncSession, consultation_id: str) -> None:
    consultation = await session.get(ConsultationRow, consultation_id, with_for_update=True)
    if consultation is None:
        raise NotFound("there is no such consultation", code="consultation_not_found")
    if consultation.state != "open":
        raise Conflict("this consultation is over", code="consultation_closed")
    query = select(func.count()).where(InvitationRow.consultation_id == consultation_id)
    if (await session.scalar(query) or 0) >= MAX_INVITATIONS:
        raise Conflict(f"a consultation has at most {MAX_INVITATIONS} invitations", code="too_many")


async def _revoke(session: AsyncSession, row: InvitationRow, now_us: int) -> None:
    row.revoked_us = row.revoked_us or now_us
    if row.guest_id is not None:
        await session.execute(delete(RefreshTokenRow).where(RefreshTokenRow.user_id == row.guest_id))
        (await session.get_one(UserRow, row.guest_id)).disabled = True


def _guest(row: InvitationRow, consultation: ConsultationRow, name: str, now_us: int) -> UserRow:
    """Stored with the inviting organisation, but the guest's tokens name none."""
    guest_id = new_id("u")
    return UserRow(
        id=guest_id,
        username=GUEST_PREFIX + guest_id.removeprefix("u_"),
        password_hash="",
        role="specialist",
        organisation_id=consultation.organisation_id,
        display_name=name,
        disabled=False,
        created_us=now_us,
        guest_of=consultation.id,
        guest_organisation=row.organisation,
    )


def _may_again(row: InvitationRow, client_hash: str | None, now_us: int) -> bool:
    if client_hash is None or row.client_hash is None or row.used_us is None or row.revoked_us is not None:
        return False
    return hmac.compare_digest(client_hash, row.client_hash) and now_us - row.used_us <= AGAIN_WITHIN_US


def _check_usable(state: InvitationState) -> None:
    sentences: dict[InvitationState, str] = {
        "used": "this invitation was used already; ask for a new link",
        "expired": "this invitation has expired; ask for a new link",
        "revoked": "this invitation was withdrawn; ask for a new link",
    }
    if state in sentences:
        raise RemoteError(sentences[state], code=f"invitation_{state}", status=410)


def _state(row: InvitationRow, now_us: int, consultation_open: bool = True) -> InvitationState:
    if row.revoked_us is not None:
        return "revoked"
    if row.used_us is not None:
        return "used"
    return "expired" if row.expires_us <= now_us or not consultation_open else "open"


def _invitation(row: InvitationRow, now_us: int) -> Invitation:
    return Invitation(
        invitation_id=row.id,
        consultation_id=row.consultation_id,
        name=row.name,
        organisation=row.organisation,
        lobby=row.lobby,
        state=_state(row, now_us),
        expires_us=row.expires_us,
        admitted_us=row.admitted_us,
        guest_id=row.guest_id,
    )


def _hash(token: str) -> str:
    """The token is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
