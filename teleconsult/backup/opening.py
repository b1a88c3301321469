"""Opens a backup: unseals it, and believes nothing that its list does not confirm."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pyrage
from pydantic import ValidationError

from archive.keys import parse_identities
from core.errors import ConfigError
from teleconsult.backup.format import (
    CONTENTS,
    FOLDERS,
    FORMAT,
    SETTINGS,
    Contents,
    Member,
    Progress,
    private_folder,
    sha256,
    silent,
)

AGE_MAGIC: Final = b"age-encryption.org/v1"
MAX_CONTENTS_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Backup:
    """An opened backup: its list, and the folder its members were unpacked to."""

    contents: Contents
    folder: Path


@contextmanager
def opened(file: Path, identity: Path | None, beside: Path, progress: Progress = silent) -> Iterator[Backup]:
    """Unseal and unpack into a private folder in `beside`, checking every member.

    Raises `ConfigError` for a wrong or missing key, and for a file that is damaged or no backup.
    """
    with private_folder(beside) as folder:
        packed = folder / "packed.tar"
        progress("Unsealing")
        _unseal(file, identity, packed)
        progress("Checking")
        contents = _unpack(file, packed, folder)
        packed.unlink()
        yield Backup(contents, folder)


def is_sealed(file: Path) -> bool:
    """True for an age file. Raises `ConfigError` when it cannot be read."""
    try:
        with file.open("rb") as opened_file:
            return opened_file.read(len(AGE_MAGIC)) == AGE_MAGIC
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _unseal(file: Path, identity: Path | None, target: Path) -> None:
    if not is_sealed(file):
        shutil.copyfile(file, target)
        return
    if identity is None:
        raise ConfigError(f"{file} is sealed; give the key of one of its custodians: --identity FILE")
    try:
        text = identity.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{identity}: cannot be read: {error.strerror}") from None
    try:
        pyrage.decrypt_file(str(file), str(target), parse_identities(text, str(identity)))
    except (pyrage.DecryptError, OSError) as error:
        raise ConfigError(f"{file} cannot be unsealed with {identity}: {error}") from None


def _unpack(file: Path, packed: Path, folder: Path) -> Contents:
    """Only what `backup.json` names is taken, and only if it is exactly that."""
    try:
        with tarfile.open(packed) as tar:
            contents = _read_contents(tar)
            for name, member in contents.members.items():
                _extract(tar, name, member, folder)
    except (tarfile.TarError, KeyError, EOFError, ValidationError) as error:
        raise ConfigError(
            f"{file} is no backup, or damaged ({type(error).__name__}); take another one"
        ) from None
    if contents.format != FORMAT:
        raise ConfigError(
            f"{file} has format {contents.format}; this program reads {FORMAT}: use a newer one"
        )
    return contents


def _read_contents(tar: tarfile.TarFile) -> Contents:
    reader = tar.extractfile(CONTENTS)
    return Contents.model_validate_json(b"" if reader is None else reader.read(MAX_CONTENTS_BYTES))


def _extract(tar: tarfile.TarFile, name: str, member: Member, folder: Path) -> None:
    reader = tar.extractfile(name)
    if reader is None or not _is_ours(name):
        raise KeyError(name)
    target = folder / name
    target.parent.mkdir(exist_ok=True, mode=0o700, parents=True)
    with target.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        shutil.copyfileobj(reader, file)
    if target.stat().st_size != member.bytes or sha256(target) != member.sha256:
        raise tarfile.TarError(name)


def _is_ours(name: str) -> bool:
    """A member's name decides where it goes: only the places a backup knows."""
    parts = PurePosixPath(name).parts
    if name == SETTINGS:
        return True
    return len(parts) == 2 and parts[0] in ("database", "keys", *FOLDERS) and parts[1] != ".."
