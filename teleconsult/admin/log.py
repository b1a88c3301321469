"""`teleconsult admin log`: the key that signs the archive's log."""

from __future__ import annotations

import typer

from archive.log_records import FOLDER
from archive.log_rotate import replace_log_key
from core.clock import NS_PER_US, SystemClock
from core.database import Database
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    audit,
    hint,
    settings_of,
    show,
    with_database,
)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command so far."""


@app.command("rotate-key")
def rotate_key(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Replace the log's key: the old one signs the new one, as a leaf of the log, and is removed.

    The service must not run meanwhile. Interrupted, it is to be done again: it goes on where it was.
    """
    settings = settings_of(config, data_dir)
    now_us = SystemClock().unix_ns() // NS_PER_US
    folder = settings.archive_dir / FOLDER
    made = replace_log_key(folder, settings.log_key_file, settings.log_origin, now_us)

    async def note(database: Database) -> None:
        await audit(database, "log_key_replaced", f"leaf {made.leaf}")

    with_database(settings, note)
    fields = {
        "old": made.old.text,
        "new": made.new.text,
        "leaf": made.leaf,
        "file": str(settings.log_key_file),
    }
    show(as_json, fields, f"{made.new.text}\nsigns the log from leaf {made.leaf + 1} on.")
    hint("Whoever trusts the old key can go on: `archive verify --log` follows from it to the new one.")
    hint(
        "Give the new one to witnesses (`archive witness --log-key`), and make a backup: the old key is gone."
    )
