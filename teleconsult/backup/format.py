"""What is in a backup, and the private place where one is put together or taken apart."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from core.config import Settings
from core.errors import ConfigError

FORMAT: Final = 1
CONTENTS: Final = "backup.json"
SQLITE: Final = "database/sqlite.db"
POSTGRESQL: Final = "database/postgresql.dump"
SETTINGS: Final = "settings.toml"
FOLDERS: Final = ("ca", "tls")

Progress = Callable[[str], None]


def silent(_text: str) -> None:
    """A `Progress` nobody sees."""


class Member(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Contents(BaseModel):
    """`backup.json`. `made_at`: ISO 8601, UTC. `teleconsult`: the version that made it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    made_at: str
    teleconsult: str
    database: str
    members: dict[str, Member]


def key_files(settings: Settings) -> dict[str, Path]:
    """Member → where the service keeps it."""
    return {
        "keys/tokens.pem": settings.token_key_file,
        "keys/service.secret": settings.service_secret_file,
        "keys/archive-signing.pem": settings.signing_key_file,
        "keys/archive-log.pem": settings.log_key_file,
    }


@contextmanager
def private_folder(beside: Path) -> Iterator[Path]:
    """A folder nobody else can look into, on the same file system, that is gone afterwards."""
    try:
        beside.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(tempfile.mkdtemp(prefix=".teleconsult-backup-", dir=beside))
    except OSError as error:
        raise ConfigError(f"{beside}: cannot be written: {error.strerror}") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
