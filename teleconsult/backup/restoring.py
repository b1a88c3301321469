"""Looks into an opened backup, and puts it where it belongs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from core.config import Settings
from core.errors import ConfigError
from teleconsult.backup import postgresql
from teleconsult.backup.format import POSTGRESQL, SQLITE, Progress, key_files, silent
from teleconsult.backup.opening import Backup


def check_database(backup: Backup) -> dict[str, int]:
    """Look into the database: rows per table (SQLite), or objects (PostgreSQL). Raises `ConfigError`."""
    if backup.contents.database == "postgresql":
        listed = postgresql.tool("pg_restore", ["--list", str(backup.folder / POSTGRESQL)], {})
        return {"objects": sum(1 for line in listed.splitlines() if line and not line.startswith(";"))}
    with closing(sqlite3.connect(f"{(backup.folder / SQLITE).as_uri()}?mode=ro", uri=True)) as connection:
        try:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if answer != "ok":
                raise ConfigError(f"the database in the backup is damaged: {answer}")
            return {
                name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - ours
                for name in ("organisations", "users", "devices", "consultations", "audit")
            }
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"the database in the backup cannot be read: {error}") from None


def restore(settings: Settings, backup: Backup, progress: Progress = silent) -> list[Path]:
    """Put everything where `settings` say it belongs; returns the files that were written.

    Raises `ConfigError`, before anything is written, when something is there already.
    """
    kind = make_url(settings.database_url).get_backend_name()
    if kind != backup.contents.database:
        raise ConfigError(
            f"the backup is of {backup.contents.database}, but database_url names {kind}; "
            "restore into the same kind"
        )
    targets = _targets(settings, backup)
    for target in targets.values():
        if target.exists():
            raise ConfigError(f"{target} exists; a backup is restored into an empty place: --data-dir NEW")
    if kind == "postgresql":
        _restore_postgresql(settings, backup, progress)
    for name, target in targets.items():
        progress(f"Restoring {name}")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with target.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write((backup.folder / name).read_bytes())
            os.fsync(file.fileno())
    return list(targets.values())


def _targets(settings: Settings, backup: Backup) -> dict[str, Path]:
    known = key_files(settings)
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        known[SQLITE] = Path(url.database or "")
    targets = {}
    for name in backup.contents.members:
        if name in known:
            targets[name] = known[name]
        elif name != POSTGRESQL:
            targets[name] = settings.data_dir / name
    return targets


def _restore_postgresql(settings: Settings, backup: Backup, progress: Progress) -> None:
    progress("Restoring the database")
    question = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    if (
        postgresql.run("psql", ["--tuples-only", "--no-align", f"--command={question}"], settings).strip()
        != "0"
    ):
        raise ConfigError("the PostgreSQL database holds tables already; create an empty one: createdb NAME")
    arguments = ["--no-owner", "--exit-on-error", "--single-transaction", str(backup.folder / POSTGRESQL)]
    postgresql.run("pg_restore", arguments, settings, by_dbname=True)
