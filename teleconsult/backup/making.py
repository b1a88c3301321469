"""Makes a backup."""

from __future__ import annotations

import os
import sqlite3
import tarfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import pyrage
from sqlalchemy import make_url

from core.config import Settings
from core.errors import ConfigError
from teleconsult.backup import postgresql
from teleconsult.backup.format import (
    CONTENTS,
    FOLDERS,
    FORMAT,
    POSTGRESQL,
    SETTINGS,
    SQLITE,
    Contents,
    Member,
    Progress,
    key_files,
    private_folder,
    sha256,
    silent,
)

PAGES_PER_STEP: Final = 256


def create(
    settings: Settings,
    out: Path,
    recipients: Sequence[str],
    *,
    config_file: Path | None = None,
    progress: Progress = silent,
) -> Contents:
    """Write a backup to `out` (mode 0600), sealed to `recipients`; none: not sealed at all.

    The service may be running. Raises `ConfigError`, also where `out` exists, and `Unavailable`.
    """
    sealed_to = [_recipient(text) for text in recipients]
    if out.exists():
        raise ConfigError(f"{out} exists; a backup never replaces a file: choose another name")
    with private_folder(out.parent) as folder:
        progress("Copying the database")
        database = _copy_database(settings, folder, progress)
        _copy_files(settings, folder, config_file)
        contents = Contents(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            teleconsult=_version(),
            database=database,
            members=_members(folder),
        )
        (folder / CONTENTS).write_text(contents.model_dump_json(indent=2))
        progress("Sealing" if sealed_to else "Packing")
        _pack(folder, contents, out, sealed_to)
    return contents


def _copy_database(settings: Settings, folder: Path, progress: Progress) -> str:
    url = make_url(settings.database_url)
    (folder / "database").mkdir()
    if url.get_backend_name() == "sqlite":
        _copy_sqlite(Path(url.database or ""), folder / SQLITE, progress)
        return "sqlite"
    postgresql.run("pg_dump", ["--format=custom", "--no-owner", f"--file={folder / POSTGRESQL}"], settings)
    return "postgresql"


def _copy_sqlite(source: Path, target: Path, progress: Progress) -> None:
    """SQLite's online backup: a consistent copy while others write."""
    if not source.exists():
        raise ConfigError(f"there is no database at {source}; say which one: --config FILE or --data-dir DIR")

    def told(_status: int, remaining: int, total: int) -> None:
        progress(f"Copying the database: {total - remaining} of {total} pages")

    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing, pages=PAGES_PER_STEP, progress=told)
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, without side files


def _copy_files(settings: Settings, folder: Path, config_file: Path | None) -> None:
    for name, source in key_files(settings).items():
        if source.exists():
            _copy(source, folder / name)
    for name in FOLDERS:
        place = settings.data_dir / name
        for source in sorted(place.iterdir()) if place.is_dir() else ():
            if source.is_file():
                _copy(source, folder / name / source.name)
    if config_file is not None:
        _copy(config_file, folder / SETTINGS)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True, mode=0o700)
    try:
        target.write_bytes(source.read_bytes())
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from None


def _members(folder: Path) -> dict[str, Member]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): Member(bytes=path.stat().st_size, sha256=sha256(path))
        for path in files
    }


def _pack(folder: Path, contents: Contents, out: Path, recipients: Sequence[Any]) -> None:
    packed, sealed = folder / "packed.tar", folder / "sealed.age"
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in (CONTENTS, *contents.members):
            tar.add(folder / name, name, recursive=False, filter=_anonymous)
    if recipients:
        pyrage.encrypt_file(str(packed), str(sealed), recipients)
    finished = sealed if recipients else packed
    os.chmod(finished, 0o600)
    with finished.open("rb") as file:
        os.fsync(file.fileno())
    os.link(finished, out)  # never replaces a file


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _version() -> str:
    try:
        return version("teleconsult")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def _recipient(text: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise ConfigError(
            f"--recipient {text[:40]}: allowed: an age recipient, age1… (teleconsult archive keygen)"
        ) from None
