"""`teleconsult admin user`: people who sign in. A change that matters signs them out everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, cast

import pyotp
import typer

from core import people, sessions
from core.database import Database
from core.errors import ConfigError, NotFound
from core.messages import Role
from core.passwords import Passwords
from core.people import User
from teleconsult.admin import organisations
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    ask_secret,
    audit,
    hint,
    new_password,
    settings_of,
    show,
    table,
    with_database,
)

app = typer.Typer(no_args_is_help=True)

PersonRole = Literal["specialist", "site", "auditor", "admin"]
ISSUER: Final = "Teleconsult"
REVOKED_FOR_US: Final = 31 * 24 * 3600 * 1_000_000
"""Longer than any token lives."""
COLUMNS: Final = ("username", "display_name", "role", "organisation", "second_factor", "disabled")

Username = Annotated[str, typer.Argument(help="The name they sign in with.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make up a password; it is shown once.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, one line.")]
RoleOption = Annotated[PersonRole, typer.Option(help="What they do.")]


@dataclass(frozen=True)
class Secrets:
    """What is shown once. `totp`: Base32; `uri`: for an authenticator app."""

    password: str | None = None
    totp: str | None = None
    uri: str | None = None

    def fields(self) -> dict[str, str]:
        named = {"password": self.password, "totp_secret": self.totp, "totp_uri": self.uri}
        return {key: value for key, value in named.items() if value is not None}

    def lines(self) -> list[str]:
        lines = [] if self.password is None else [f"Password (shown once): {self.password}"]
        if self.totp is not None:
            lines += [f"Second factor (shown once): {self.totp}", f"For an authenticator app: {self.uri}"]
        return lines


@app.command()
def add(
    username: Username,
    role: RoleOption,
    organisation: Annotated[str, typer.Option(help="Name or id of their hospital or clinic.")],
    name: Annotated[str, typer.Option(help="How others see them; the user name if left out.")] = "",
    generate: Generate = False,
    stdin: Stdin = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a person. Roles that need a second factor get one."""
    settings = settings_of(config, data_dir)
    password = new_password() if generate else ask_secret("Password", stdin)

    async def work(database: Database) -> tuple[User, Secrets]:
        belongs_to = await organisations.find(database, organisation)
        made = await people.create_user(
            database,
            username=username,
            password_hash=await _hash(password),
            role=role,
            organisation=belongs_to,
            display_name=name or username,
        )
        await audit(database, "user_add", f"{made.user_id} {role}")
        shown = Secrets(password if generate else None)
        if role in settings.totp_roles:
            shown = await _new_totp(database, made, shown.password)
        return made, shown

    made, shown = with_database(settings, work, create=True)
    text = [f"Added {made.username}, {made.role} of {made.organisation_name}", *shown.lines()]
    show(as_json, _fields(made, shown), "\n".join(text))


@app.command("list")
def list_command(
    organisation: Annotated[str | None, typer.Option(help="Only this one's people.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List them."""

    async def work(database: Database) -> list[User]:
        found = None if organisation is None else await organisations.find(database, organisation)
        return await people.list_users(database, None if found is None else found.organisation_id)

    rows = [_fields(user) for user in with_database(settings_of(config, data_dir), work)]
    show(as_json, rows, table(rows, COLUMNS, "There is nobody yet: teleconsult admin user add"))


@app.command("show")
def show_command(
    username: Username, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show one person."""
    user = with_database(settings_of(config, data_dir), lambda database: find(database, username))
    fields = _fields(user)
    show(
        as_json,
        fields,
        "\n".join(f"{key.replace('_', ' ')}: {_word(value)}" for key, value in fields.items()),
    )


@app.command()
def disable(
    username: Username, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Close an account: signed out everywhere within seconds, and never in again until it is enabled."""

    async def work(database: Database) -> User:
        user = await find(database, username)
        await people.set_disabled(database, user.user_id, True)
        await sign_out(database, user)
        await audit(database, "user_disable", user.user_id)
        return user

    user = with_database(settings_of(config, data_dir), work)
    show(as_json, _fields(user) | {"disabled": True}, f"{username} is disabled and signed out everywhere")


@app.command()
def enable(
    username: Username, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Open a closed account again."""

    async def work(database: Database) -> User:
        user = await find(database, username)
        await people.set_disabled(database, user.user_id, False)
        await audit(database, "user_enable", user.user_id)
        return user

    user = with_database(settings_of(config, data_dir), work)
    show(as_json, _fields(user) | {"disabled": False}, f"{username} may sign in again")


@app.command()
def password(
    username: Username,
    generate: Generate = False,
    stdin: Stdin = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a new password. It ends all their sessions."""
    settings = settings_of(config, data_dir)
    with_database(settings, lambda database: find(database, username))  # before anything is typed
    chosen = new_password() if generate else ask_secret("New password", stdin)

    async def work(database: Database) -> User:
        user = await find(database, username)
        await people.set_password_hash(database, user.user_id, await _hash(chosen))
        await sign_out(database, user)
        await audit(database, "user_password", user.user_id)
        return user

    user = with_database(settings, work)
    shown = Secrets(chosen if generate else None)
    text = [f"{username} has a new password and is signed out everywhere", *shown.lines()]
    show(as_json, _fields(user, shown), "\n".join(text))


@app.command()
def totp(
    username: Username,
    remove: Annotated[bool, typer.Option("--remove", help="Take the second factor away.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a second factor (RFC 6238), in place of the one they had."""
    settings = settings_of(config, data_dir)

    async def work(database: Database) -> tuple[User, Secrets]:
        user = await find(database, username)
        if not remove:
            return user, await _new_totp(database, user)
        await people.set_totp_secret(database, user.user_id, None)
        await sign_out(database, user)
        await audit(database, "user_totp_remove", user.user_id)
        return user, Secrets()

    user, shown = with_database(settings, work)
    fields = _fields(user, shown) | {"second_factor": not remove}
    lines = [f"{username} has no second factor any more" if remove else f"{username} has a new second factor"]
    show(as_json, fields, "\n".join([*lines, *shown.lines()]))
    if remove and user.role in settings.totp_roles:
        hint(f"The role {user.role} cannot sign in without one (totp_roles).")


@app.command("role")
def role_command(
    username: Username,
    role: Annotated[PersonRole, typer.Argument(help="specialist, site, auditor or admin.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change what somebody does. It ends all their sessions."""
    settings = settings_of(config, data_dir)

    async def work(database: Database) -> tuple[User, Secrets]:
        user = await find(database, username)
        await people.set_role(database, user.user_id, cast(Role, role))
        await sign_out(database, user)
        await audit(database, "user_role", f"{user.user_id} {user.role} {role}")
        needs_one = role in settings.totp_roles and user.totp_secret is None
        return user, await _new_totp(database, user) if needs_one else Secrets()

    user, shown = with_database(settings, work)
    text = [f"{username} is {role} now, and signed out everywhere", *shown.lines()]
    show(as_json, _fields(user, shown) | {"role": role}, "\n".join(text))


async def find(database: Database, username: str) -> User:
    """Raises `NotFound`; guests are not people of the house."""
    user = await people.find_user(database, username=username)
    if user is None or user.guest_of is not None:
        raise NotFound(f"there is no user {username}; `teleconsult admin user list` lists them")
    return user


async def sign_out(database: Database, user: User) -> None:
    """Void every token of theirs. A running service notices within seconds."""
    await sessions.end_user_sessions(database, user.user_id)
    now_us = database.now_us()
    await sessions.store_revocation(database, user.user_id, now_us, now_us + REVOKED_FOR_US)


async def _new_totp(database: Database, user: User, password: str | None = None) -> Secrets:
    secret = pyotp.random_base32()
    await people.set_totp_secret(database, user.user_id, secret)
    await sign_out(database, user)
    await audit(database, "user_totp", user.user_id)
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)
    return Secrets(password, secret, uri)


async def _hash(password: str) -> str:
    try:
        return await Passwords().hash(password)
    except ValueError as error:
        raise ConfigError(f"{error}; nothing was changed") from None


def _fields(user: User, shown: Secrets | None = None) -> dict[str, Any]:
    shown = shown or Secrets()
    return {
        "user_id": user.user_id,
        "username": user.username,
        "display_name": user.display_name,
        "role": user.role,
        "organisation": user.organisation_name,
        "second_factor": user.totp_secret is not None or shown.totp is not None,
        "disabled": user.disabled,
        **shown.fields(),
    }


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
