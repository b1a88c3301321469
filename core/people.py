"""Organisations and the people who belong to them, as stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import Conflict, RemoteError
from core.ids import new_id
from core.messages import Role
from core.tables import OrganisationRow, UserRow

_USERNAME: Final = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or clinic."""

    organisation_id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person with a password. `password_hash` is argon2id."""

    user_id: str
    username: str
    password_hash: str
    role: Role
    organisation_id: str
    organisation_name: str
    display_name: str
    disabled: bool


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
    """By name or by id."""
    condition = UserRow.username == username if username is not None else UserRow.id == user_id
    query = select(UserRow, OrganisationRow.name).join(
        OrganisationRow, UserRow.organisation_id == OrganisationRow.id
    )
    async with database.reading() as session:
        found = (await session.execute(query.where(condition))).one_or_none()
        return None if found is None else _user(found[0], found[1])


async def set_password_hash(database: Database, user_id: str, password_hash: str) -> None:
    async with database.writing() as session:
        row = await session.get_one(UserRow, user_id)
        row.password_hash = password_hash


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
        organisation_name=organisation_name,
        display_name=row.display_name,
        disabled=row.disabled,
    )
