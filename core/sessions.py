"""Sign-in sessions: refresh tokens that change at every use, and what has been revoked."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import Unauthorized
from core.ids import new_id
from core.tables import RefreshTokenRow, RevocationRow

REFRESH_LIFETIME_US: Final = 12 * 3600 * 1_000_000
"""A shift; after that the password is asked again."""
REUSE_TOLERANCE_US: Final = 10 * 1_000_000
"""Two tabs may use the same refresh token at once. Later reuse means it was stolen."""


@dataclass(frozen=True, slots=True)
class Session:
    """`refresh_token` is shown once and kept only as a hash."""

    session_id: str
    user_id: str
    refresh_token: str


class Reused(Unauthorized):
    """A refresh token came back after it was exchanged: its session has been ended."""

    code = "refresh_token_reused"

    def __init__(self, session_id: str, user_id: str) -> None:
        super().__init__("this session was ended because its refresh token was used twice; sign in again")
        self.session_id = session_id
        self.user_id = user_id


async def start_session(database: Database, user_id: str) -> Session:
    """A new session with its first refresh token; forgets tokens that expired."""
    session = Session(new_id("s"), user_id, secrets.token_urlsafe(32))
    now_us = database.now_us()
    async with database.writing() as writing:
        await writing.execute(delete(RefreshTokenRow).where(RefreshTokenRow.expires_us < now_us))
        writing.add(_row(session, now_us, now_us + REFRESH_LIFETIME_US))
    return session


async def refresh_session(database: Database, refresh_token: str) -> Session:
    """Exchange a refresh token for the next. Raises `Unauthorized`; `Reused` when the session was ended."""
    now_us = database.now_us()
    async with database.writing() as writing:
        old = await writing.get(RefreshTokenRow, _hash(refresh_token), with_for_update=True)
        over = old is None or await writing.get(RevocationRow, old.session_id) is not None
        if old is None or over or old.expires_us < now_us:
            raise Unauthorized("this session is over; sign in again", code="session_expired")
        stolen = old.used_us is not None and now_us - old.used_us > REUSE_TOLERANCE_US
        session = Session(old.session_id, old.user_id, secrets.token_urlsafe(32))
        if stolen:
            await writing.execute(
                delete(RefreshTokenRow).where(RefreshTokenRow.session_id == session.session_id)
            )
        else:
            old.used_us = old.used_us or now_us
            writing.add(_row(session, now_us, old.expires_us))
    if stolen:
        raise Reused(session.session_id, session.user_id)
    return session


async def end_session(database: Database, session_id: str) -> None:
    """Its refresh tokens are worth nothing from now on."""
    async with database.writing() as writing:
        await writing.execute(delete(RefreshTokenRow).where(RefreshTokenRow.session_id == session_id))


async def end_user_sessions(database: Database, user_id: str) -> None:
    """All of a person's refresh tokens are worth nothing from now on."""
    async with database.writing() as writing:
        await writing.execute(delete(RefreshTokenRow).where(RefreshTokenRow.user_id == user_id))


async def end_other_sessions(database: Database, user_id: str, but: str | None) -> list[str]:
    """End all of a person's sessions except one; the ids of those that ended."""
    others = (RefreshTokenRow.user_id == user_id, RefreshTokenRow.session_id != (but or ""))
    async with database.writing() as writing:
        ended = await writing.scalars(select(RefreshTokenRow.session_id).where(*others).distinct())
        session_ids = list(ended)
        await writing.execute(delete(RefreshTokenRow).where(*others))
        return session_ids


async def store_revocation(database: Database, subject: str, before_us: int, expires_us: int) -> None:
    """Remember that tokens naming `subject` issued up to `before_us` are void, until all have expired."""
    try:
        await _store_revocation(database, subject, before_us, expires_us)
    except IntegrityError:  # somebody else revoked it at the same time
        await _store_revocation(database, subject, before_us, expires_us)


async def _store_revocation(database: Database, subject: str, before_us: int, expires_us: int) -> None:
    async with database.writing() as writing:
        await writing.execute(delete(RevocationRow).where(RevocationRow.expires_us < database.now_us()))
        row = await writing.get(RevocationRow, subject, with_for_update=True)
        if row is None:
            writing.add(RevocationRow(subject=subject, before_us=before_us, expires_us=expires_us))
        else:
            row.before_us, row.expires_us = max(row.before_us, before_us), max(row.expires_us, expires_us)


async def load_revocations(database: Database) -> dict[str, tuple[int, int]]:
    """subject → (void up to, may be forgotten after), Unix microseconds."""
    async with database.reading() as reading:
        rows = await reading.scalars(select(RevocationRow))
        return {row.subject: (row.before_us, row.expires_us) for row in rows}


def _row(session: Session, now_us: int, expires_us: int) -> RefreshTokenRow:
    return RefreshTokenRow(
        token_hash=_hash(session.refresh_token),
        session_id=session.session_id,
        user_id=session.user_id,
        issued_us=now_us,
        expires_us=expires_us,
        used_us=None,
    )


def _hash(refresh_token: str) -> str:
    """The token is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()
