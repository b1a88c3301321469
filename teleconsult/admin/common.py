"""What all `admin` commands share: where the settings are, the database, the audit record, how results look.

Results go to standard output, hints to standard error, so that `--json` and pipes get nothing but the result.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import pwd
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from core.clock import SystemClock
from core.config import Settings, load_settings
from core.database import Database
from core.errors import ConfigError, Unavailable
from core.trail import record_audit
from signaling.starting import database_place

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The service's TOML file.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the service keeps everything.")]

output: Final = Console(width=None if sys.stdout.isatty() else 200)
hints: Final = Console(stderr=True)
GENERATED_BYTES: Final = 12
"""96 random bits, sixteen characters to type once."""


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """The service's settings. Raises `ConfigError`, also when its files belong to somebody else.

    Files that root makes there could not be read by the service's own user.
    """
    settings = load_settings(config, data_dir=data_dir)
    place = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    owner = place.stat().st_uid
    if place == settings.data_dir and owner != os.geteuid():
        name = _login(owner)
        raise ConfigError(
            f"{place} belongs to {name}; run this as that user: sudo -u {name} teleconsult admin …"
        )
    return settings


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """Run `work` with the service's database; it may be running meanwhile.

    `create`: the database may be made by this. Raises `ConfigError`, `Unavailable`.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists() and not create:
        raise ConfigError(
            f"there is no database at {url.database}; say which one: --config FILE or --data-dir DIR"
        )
    return asyncio.run(_with_database(settings, work))


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    try:
        database = await Database.open(settings.database_url, SystemClock())
    except (OSError, DBAPIError) as error:
        raise Unavailable(f"{database_place(settings)} cannot be opened: {type(error).__name__}") from None
    try:
        return await work(database)
    finally:
        await database.close()


def operator() -> str:
    """Who runs the command, for the audit trail."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = str(os.geteuid())
    return f"operator:{name}"[:100]


async def audit(database: Database, action: str, target: str, outcome: str = "ok") -> None:
    """Record an act of an operator. `target`: ids, never a person's name."""
    await record_audit(database, operator(), action, target, outcome)


def show(as_json: bool, result: Any, text: str | Table) -> None:
    """Print the result: JSON for programs, `text` for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    else:
        output.print(text if isinstance(text, Table) else Text(text), soft_wrap=True)


def hint(text: str) -> None:
    """What to do next."""
    hints.print(Text(text), soft_wrap=True)


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str], empty: str) -> Table | str:
    """Rows as a table; `empty` when there are none."""
    if not rows:
        return empty
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*(_cell(row[column]) for column in columns))
    return made


def _cell(value: Any) -> Text:
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, (list, tuple)):
        return Text(", ".join(map(str, value)))
    return Text("" if value is None else str(value))


def new_password() -> str:
    """One to be shown once."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def ask_secret(what: str, from_stdin: bool, *, twice: bool = True) -> str:
    """A secret typed by a person or given on standard input; never an argument: `ps` shows those."""
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        secret = getpass.getpass(f"{what}: ")
        if twice and getpass.getpass("The same again: ") != secret:
            raise ConfigError("they differ; nothing was changed")
    else:
        raise ConfigError(f"nobody is there to type it: give the {what.lower()} on standard input (--stdin)")
    if not secret:
        raise ConfigError(f"the {what.lower()} is empty; nothing was changed")
    return secret


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
