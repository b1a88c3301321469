"""`teleconsult admin backup`: copies of what cannot be made again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    audit,
    hint,
    hints,
    settings_of,
    show,
    with_database,
)
from teleconsult.backup import making, opening, restoring
from teleconsult.backup.format import Contents, Progress, silent

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The backup.")]
Identity = Annotated[Path | None, typer.Option("--identity", "-i", help="Key file of one of its custodians.")]


@app.command()
def create(
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; else one named by the time.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="Who can open it: age1…; else the archive's custodians (recipients). Repeatable."),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Do not seal it: whoever has it can be the service.")
    ] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy database, keys, certificates and settings into one sealed file. The service may go on."""
    settings = settings_of(config, data_dir)
    to = _recipients(settings, recipient or [], plain)
    out = (
        file or Path(f"teleconsult-{datetime.now(UTC):%Y%m%d-%H%M%S}.backup{'' if plain else '.age'}")
    ).absolute()
    with _progress(as_json) as progress:
        contents = making.create(settings, out, to, config_file=config, progress=progress)

    async def note(database: Database) -> None:
        await audit(database, "backup_create", f"{len(to)} recipients")

    with_database(settings, note)
    fields = {"file": str(out), "bytes": out.stat().st_size, "recipients": to} | _fields(contents)
    show(as_json, fields, f"Made {out} ({fields['bytes']} bytes), {_openers(to)}")
    hint(f"Archived consultations are not in it; copy them as they are: {settings.archive_dir}")
    hint(f"See that it can be opened: teleconsult admin backup check {out} --identity KEYFILE")


@app.command()
def check(file: File, identity: Identity = None, as_json: AsJson = False) -> None:
    """Open a backup, compare every part with its hash, look into the database. Nothing is changed."""
    with (
        tempfile.TemporaryDirectory(prefix="teleconsult-") as place,
        _progress(as_json) as progress,
        opening.opened(file, identity, Path(place), progress) as found,
    ):
        rows = restoring.check_database(found)
        fields = {"intact": True, "sealed": opening.is_sealed(file), "rows": rows} | _fields(found.contents)
    counted = ", ".join(f"{count} {name}" for name, count in rows.items())
    show(
        as_json,
        fields,
        f"Intact: made {found.contents.made_at} by version {found.contents.teleconsult}; {counted}",
    )


@app.command()
def restore(
    file: File,
    identity: Identity = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup where the settings say. Whatever is there already stops it: nothing is overwritten."""
    settings = settings_of(config, data_dir)
    with (
        _progress(as_json) as progress,
        opening.opened(file, identity, settings.data_dir, progress) as found,
    ):
        written = restoring.restore(settings, found, progress)
        contents = found.contents

    async def note(database: Database) -> None:
        await audit(database, "backup_restore", contents.made_at)

    with_database(settings, note)
    fields = {"restored": [str(path) for path in written]} | _fields(contents)
    show(as_json, fields, f"Restored what was saved on {contents.made_at} into {settings.data_dir}")
    hint("Everybody signs in anew where tokens were revoked since; start it: teleconsult serve")


def _recipients(settings: Settings, given: list[str], plain: bool) -> list[str]:
    if plain:
        if given:
            raise ConfigError("--plain and --recipient contradict each other; give one of them")
        return []
    found = given or [recipient.recipient for recipient in settings.recipients]
    if not found:
        raise ConfigError(
            "nobody could open it: give --recipient age1… (teleconsult archive keygen makes one), "
            "or --plain for a file that is not sealed"
        )
    return found


def _openers(recipients: list[str]) -> str:
    if not recipients:
        return "NOT sealed: keep it where only you can read it"
    return f"sealed to {len(recipients)} custodian{'' if len(recipients) == 1 else 's'}"


def _fields(contents: Contents) -> dict[str, Any]:
    return {
        "made_at": contents.made_at,
        "version": contents.teleconsult,
        "database": contents.database,
        "members": {name: member.bytes for name, member in contents.members.items()},
    }


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A line on standard error that says what is being done."""
    if quiet:
        yield silent
        return
    with hints.status("…") as status:
        yield lambda text: status.update(f"{text} …")
