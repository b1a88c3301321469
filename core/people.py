"""Organisations and the people who belong to them, as stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, cast

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import Conflict, RemoteError
from core.ids import new_id
from core.messages import Role
from core.tables import ConsultationRow, InvitedOrganisationRow, OrganisationRow, UserRow

_USERNAME: Final = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or clinic."""

    organisation_id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person. `password_hash` is argon2id; guests have none, and `guest_of` is their only consultation.

    `totp_secret`: Base32 (RFC 6238) of the second factor, if there is one. `organisation_name`: for guests
    what their invitation says.
    """

    user_id: str
    username: str
    password_hash: str = field(repr=False)
    role: Role
    organisation_id: str
    organisation_name: str
    display_name: str
    disabled: bool
    totp_secret: str | None = field(default=None, repr=False)
    guest_of: str | None = None


async def create_organisation(database: Database, name: str) -> Organisation:
    """Raises `Conflict` when the name is taken."""
    row = OrganisationRow(id=new_id("o"), name=name, created_us=database.now_us())
    try:
        async with database.writing() as session:
            session.add(row)
    except IntegrityError:
        raise Conflict(f"an organisation called {name} exists already", code="name_taken") from None
    return Organisation(row.id, row.name)


async def find_organisation(database: Database, name: str) -> Organisation | None:
    async with database.reading() as session:
        row = await session.scalar(select(OrganisationRow).where(OrganisationRow.name == name))
        return None if row is None else Organisation(row.id, row.name)


async def list_organisations(database: Database) -> list[Organisation]:
    """By name."""
    async with database.reading() as session:
        rows = await session.scalars(select(OrganisationRow).order_by(OrganisationRow.name))
        return [Organisation(row.id, row.name) for row in rows]


async def organisations_of(database: Database, consultation_id: str) -> list[Organisation]:
    """Whose people take part in a consultation: the inviting one first, then the invited ones by name."""
    invited = select(InvitedOrganisationRow.organisation_id).where(
        InvitedOrganisationRow.consultation_id == consultation_id
    )
    inviting = select(ConsultationRow.organisation_id).where(ConsultationRow.id == consultation_id)
    query = (
        select(OrganisationRow)
        .where(or_(OrganisationRow.id.in_(inviting), OrganisationRow.id.in_(invited)))
        .order_by(OrganisationRow.id.not_in(inviting), OrganisationRow.name)
    )
    async with database.reading() as session:
        return [Organisation(row.id, row.name) for row in await session.scalars(query)]


async def create_user(
    database: Database,
    *,
    username: str,
    password_hash: str,
    role: Role,
    organisation: Organisation,
    display_name: str,
) -> User:
    """Raises `RemoteError` for a user name that is not acceptable, `Conflict` when it is taken."""
    if not _USERNAME.fullmatch(username):
        raise RemoteError("a user name has 1–64 of a–z, 0–9, '.', '_', '-' and starts with a letter or digit")
    row = UserRow(
        id=new_id("u"),
        username=username,
        password_hash=password_hash,
        role=role,
        organisation_id=organisation.organisation_id,
        display_name=display_name,
        disabled=False,
        created_us=database.now_us(),
    )
    try:
        async with database.writing() as session:
            session.add(row)
    except IntegrityError:
        raise Conflict(f"a user called {username} exists already", code="name_taken") from None
    return _user(row, organisation.name)


async def find_user(
    database: Database, *, username: str | None = None, user_id: str | None = None
) -> User | None:
    """By name or by id. What cannot be a user name is nobody's."""
    if username is not None and not _USERNAME.fullmatch(username):
        return None
    condition = UserRow.username == username if username is not None else UserRow.id == user_id
    query = select(UserRow, OrganisationRow.name).join(
        OrganisationRow, UserRow.organisation_id == OrganisationRow.id
    )
    async with database.reading() as session:
        found = (await session.execute(query.where(condition))).one_or_none()
        return None if found is None else _user(found[0], found[1])


async def list_users(database: Database, organisation_id: str | None = None) -> list[User]:
    """By user name, without guests; of one organisation, or all."""
    query = (
        select(UserRow, OrganisationRow.name)
        .join(OrganisationRow, UserRow.organisation_id == OrganisationRow.id)
        .where(UserRow.guest_of.is_(None))
        .order_by(UserRow.username)
    )
    if organisation_id is not None:
        query = query.where(UserRow.organisation_id == organisation_id)
    async with database.reading() as session:
        return [_user(row, name) for row, name in await session.execute(query)]


async def set_role(database: Database, user_id: str, role: Role) -> None:
    """Tokens say the role: revoke the person's, too (`core.sessions`)."""
    async with database.writing() as session:
        row = await session.get_one(UserRow, user_id)
        row.role = role


async def set_password_hash(database: Database, user_id: str, password_hash: str) -> None:
    async with database.writing() as session:
        row = await session.get_one(UserRow, user_id)
        row.password_hash = password_hash


async def set_totp_secret(database: Database, user_id: str, secret: str | None) -> None:
    """Set (Base32) or remove the second factor."""
    async with database.writing() as session:
        row = await session.get_one(UserRow, user_id)
        row.totp_secret = secret


async def use_totp_step(database: Database, user_id: str, step: int) -> bool:
    """Note that the code of that time step was used; False when it, or a later one, was used before."""
    newer = update(UserRow).where(UserRow.id == user_id, UserRow.totp_last_step < step)
    async with database.writing() as session:
        result = await session.execute(newer.values(totp_last_step=step))
        return cast(CursorResult[tuple[()]], result).rowcount == 1


async def set_disabled(database: Database, user_id: str, disabled: bool) -> None:
    """A disabled person cannot sign in; revoke the sessions too (`core.sessions.revoke`)."""
    async with database.writing() as session:
        row = await session.get_one(UserRow, user_id)
        row.disabled = disabled


def _user(row: UserRow, organisation_name: str) -> User:
    return User(
        user_id=row.id,
        username=row.username,
        password_hash=row.password_hash,
        role=cast(Role, row.role),
        organisation_id=row.organisation_id,
        organisation_name=row.guest_organisation if row.guest_of else organisation_name,
        display_name=row.display_name,
        disabled=row.disabled,
        totp_secret=row.totp_secret,
        guest_of=row.guest_of,
    )
