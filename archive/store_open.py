"""Opens what a person or the configuration names: a directory, an `s3://` URL, or a directory whose older
objects are in a store.
"""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from archive import layout
from archive.log_records import TRUSTED_LOGS
from archive.store_base import OBJECT_FOLDERS, Archive, Folder, LocalArchive, LocalFolder, is_consultation
from archive.store_s3 import S3_URL, S3Access, S3Archive
from archive.store_sign import Credentials
from core.errors import ConfigError

S3_SCHEME: Final = "s3://"
_CONSULTATION: Final = re.compile(layout.CONSULTATION_PATTERN)


class StoreSettings(Protocol):
    """The settings that say where archives live (`core.config.Settings`)."""

    @property
    def archive_dir(self) -> Path: ...
    @property
    def archive_store_url(self) -> str | None: ...
    @property
    def archive_store_endpoint(self) -> str | None: ...
    @property
    def archive_store_region(self) -> str: ...
    @property
    def archive_store_credentials_file(self) -> Path | None: ...
    @property
    def archive_store_ca(self) -> Path | None: ...


class LayeredFolder:
    """A consultation on this machine whose objects may be in the store only: read here first, then there."""

    copied = False

    def __init__(self, near: LocalFolder, far: Folder) -> None:
        self.near, self.far = near, far

    @property
    def name(self) -> str:
        return self.near.name

    @property
    def place(self) -> str:
        return self.near.place

    def objects(self) -> list[str]:
        """What is here: of what is not, the manifest knows. So nobody waits for a store that is away."""
        return self.near.objects() if self.near.path.is_dir() else self.far.objects()

    def has(self, path: str) -> bool:
        return self._with(path).has(path)

    def size(self, path: str) -> int:
        return self._with(path).size(path)

    def read(self, path: str) -> bytes:
        return self._with(path).read(path)

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        return self._with(path).read_range(path, begin, length)

    def hash(self, path: str) -> tuple[str, int]:
        return self._with(path).hash(path)

    def lines(self, path: str) -> Iterator[bytes]:
        yield from self._with(path).lines(path)

    def _with(self, path: str) -> Folder:
        """Only objects may be elsewhere: manifest, key and decisions are read where they are written."""
        here = not path.startswith(OBJECT_FOLDERS) or self.near.has(path)
        return self.near if here and self.near.path.is_dir() else self.far


class LayeredArchive:
    """Local first, then the store."""

    def __init__(self, near: LocalArchive, far: Archive) -> None:
        self.near, self.far = near, far

    @property
    def place(self) -> str:
        return self.near.place

    def folder(self, name: str) -> LayeredFolder:
        return LayeredFolder(self.near.folder(name), self.far.folder(name))

    def names(self) -> list[str]:
        return self.near.names()

    def read_root(self, name: str) -> bytes | None:
        return self.near.read_root(name)


def store_of(settings: StoreSettings) -> S3Archive | None:
    """The configured store; None when archives stay on this machine. Raises `ConfigError`."""
    url = settings.archive_store_url
    return None if url is None else open_store(url, settings)


def open_store(url: str, settings: StoreSettings, environment: Mapping[str, str] = os.environ) -> S3Archive:
    """The store at `url`, with the configured endpoint, region and credentials. Raises `ConfigError`."""
    if not re.match(S3_URL, url):
        raise ConfigError(f"{url[:200]} is not s3://BUCKET or s3://BUCKET/PREFIX")
    access = S3Access(
        url,
        find_credentials(settings.archive_store_credentials_file, environment),
        settings.archive_store_endpoint,
        settings.archive_store_region,
        settings.archive_store_ca,
    )
    try:
        return S3Archive(access)
    except OSError as error:
        raise ConfigError(f"archive_store_ca: {error.filename}: {error.strerror}") from None


def open_archive(settings: StoreSettings) -> Archive:
    """The configured archive. Raises `ConfigError`."""
    near, far = LocalArchive(settings.archive_dir), store_of(settings)
    return near if far is None else LayeredArchive(near, far)


def find_credentials(file: Path | None, environment: Mapping[str, str]) -> Credentials:
    """From a file as the AWS tools write it (`[default]`), else from `AWS_ACCESS_KEY_ID` and
    `AWS_SECRET_ACCESS_KEY`. Raises `ConfigError`; no message holds what was read.
    """
    if file is not None:
        return _from_file(file)
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key_id or not secret:
        raise ConfigError(
            "the store needs credentials: set archive_store_credentials_file, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment"
        )
    return Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN") or None)


def _from_file(file: Path) -> Credentials:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        if file.stat().st_mode & stat.S_IRWXO:
            raise ConfigError(f"{file} may be read by everybody on this machine: chmod 600 {file}")
        parser.read_string(file.read_text(encoding="utf-8"))
        section = parser["default"]
        key_id, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise ConfigError(
            f"{file}: expected [default] with aws_access_key_id = … and aws_secret_access_key = …"
        ) from None
    return Credentials(key_id, secret, section.get("aws_session_token"))


class UsageError(ConfigError):
    """The command was given something it cannot work with (exit code 2)."""

    code = "usage"


@dataclass(frozen=True)
class Found:
    """What a person named. `one`: a single consultation's folder, not a whole archive."""

    place: str
    folders: list[Folder]
    archive: Archive
    one: bool

    def only(self) -> Folder:
        """The one folder. Raises `UsageError` for a whole archive."""
        if not self.one:
            raise UsageError(
                f"{self.place} is a whole archive: give one consultation's folder, or use `list`"
            )
        return self.folders[0]


def find(where: str | Path, settings: StoreSettings) -> Found:
    """A consultation or an archive: a directory, or `s3://BUCKET/…`. Objects that have left the configured
    archive's directory are read from its store.

    Raises `UsageError` when there is nothing of the kind, `ConfigError`, `OSError`.
    """
    if str(where).startswith(S3_SCHEME):
        return _in_store(str(where).rstrip("/"), settings)
    path = Path(where).absolute()
    advice = "give a consultation's folder or the archive's root"
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory: {advice}")
    one = is_consultation(path)
    root = LocalArchive(path.parent if one else path)
    far = store_of(settings) if settings.archive_dir == root.root else None
    archive: Archive = root if far is None else LayeredArchive(root, far)
    names = [path.name] if one else archive.names()
    known = any(archive.read_root(name) is not None for name in (layout.TRUSTED_SIGNERS, TRUSTED_LOGS))
    if not names and not known:  # an archive whose consultations are all gone is one, too
        raise UsageError(f"{path} holds no consultation: {advice}")
    return Found(str(path), [archive.folder(name) for name in names], archive, one)


def _in_store(url: str, settings: StoreSettings) -> Found:
    """The last part of a URL is a consultation if what belongs to one lies below it."""
    parent, _, name = url.rpartition("/")
    if parent not in ("s3:/", "s3:") and _CONSULTATION.fullmatch(name):
        archive = open_store(parent, settings)
        folder = archive.folder(name)
        if any(folder.has(path) for path in (layout.MANIFEST, layout.SESSION_KEY, layout.CLOSED)):
            return Found(url, [folder], archive, one=True)
    archive = open_store(url, settings)
    names = archive.names()
    if not names and archive.read_root(TRUSTED_LOGS) is None:
        raise UsageError(f"{url} holds no consultation")
    folders = [archive.folder(name) for name in names]
    return Found(url, [folder for folder in folders if _has_begun(folder)], archive, one=False)


def _has_begun(folder: Folder) -> bool:
    """False for a copy of which there is the key and nothing else yet."""
    return folder.has(layout.MANIFEST) or folder.has(layout.CLOSED) or bool(folder.objects())
