"""Where an archive can be read from: a directory, an S3-compatible store, or both, the nearer one first.

`Folder` is one consultation's files, `Archive` all of them. Paths are those of `archive.layout`: relative,
with `/`. A missing file is a `FileNotFoundError`, everything else that fails another `OSError`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from archive import layout, store

BLOCK_BYTES: Final = 1 << 20
OBJECT_FOLDERS: Final = ("tracks/", "events/", "files/")
"""What may be in the store only. All else of a consultation is always on the machine that writes it, too."""


class StoreError(OSError):
    """The store refused, or does not answer: that says nothing about what it holds."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(errno.EIO, reason, place)


class Folder(Protocol):
    """One consultation's files, to be read."""

    @property
    def name(self) -> str:
        """The folder's name: in an archive's root, the consultation's id."""

    @property
    def place(self) -> str:
        """Where it is, for people: a path or an `s3://` URL."""

    @property
    def copied(self) -> bool:
        """A copy that grows objects first: while it is open, any number of them may be without an entry."""

    def objects(self) -> list[str]:
        """Relative paths of everything under `tracks/` and `events/`, sorted; temporary files left out."""

    def has(self, path: str) -> bool: ...
    def size(self, path: str) -> int: ...
    def read(self, path: str) -> bytes: ...

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        """`length` bytes from `begin` on; fewer where the file ends."""

    def hash(self, path: str) -> tuple[str, int]:
        """SHA-256 (hexadecimal) and size."""

    def lines(self, path: str) -> Iterator[bytes]:
        """Lines with their newlines; of one longer than `chain.MAX_LINE_BYTES`, a part that is too long."""


class Archive(Protocol):
    """All consultations of one archive."""

    @property
    def place(self) -> str: ...

    def folder(self, name: str) -> Folder:
        """One consultation's, whether it exists or not."""

    def names(self) -> list[str]:
        """The consultations that are here, oldest first (ids sort by time)."""

    def read_root(self, name: str) -> bytes | None:
        """A file of the archive's root; None when there is none."""


class LocalFolder:
    """A consultation's folder on this machine."""

    copied = False

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def place(self) -> str:
        return str(self.path)

    def objects(self) -> list[str]:
        return store.list_objects(self.path)

    def has(self, path: str) -> bool:
        return (self.path / path).is_file()

    def size(self, path: str) -> int:
        return (self.path / path).stat().st_size

    def read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        with (self.path / path).open("rb") as file:
            return os.pread(file.fileno(), length, begin)

    def hash(self, path: str) -> tuple[str, int]:
        return store.hash_file(self.path / path)

    def lines(self, path: str) -> Iterator[bytes]:
        with (self.path / path).open("rb") as file:
            yield from split_lines(iter(lambda: file.read(BLOCK_BYTES), b""))


class LocalArchive:
    """An archive's root on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def place(self) -> str:
        return str(self.root)

    def folder(self, name: str) -> LocalFolder:
        return LocalFolder(self.root / name)

    def names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if is_consultation(path))

    def read_root(self, name: str) -> bytes | None:
        return store.read_optional(self.root / name)


def is_consultation(path: Path) -> bool:
    """True for a folder that is, or was, a consultation's archive."""
    if path.name.startswith(".") or not path.is_dir():
        return False
    names = (layout.MANIFEST, layout.SESSION_KEY, layout.CLOSED, "tracks", "events")
    return any((path / name).exists() for name in names)


def as_folder(where: Path | Folder) -> Folder:
    """A path is a folder on this machine."""
    return LocalFolder(where) if isinstance(where, Path) else where


def read_optional(folder: Folder, path: str) -> bytes | None:
    """Content of a small file; None when there is no such file."""
    try:
        return folder.read(path)
    except FileNotFoundError:
        return None


def split_lines(blocks: Iterator[bytes], limit_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Blocks → lines. What is longer than a line may be is given as it stands, so that memory is bounded."""
    rest = b""
    for block in blocks:
        rest += block
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > limit_bytes:
            yield rest
            rest = b""
    if rest:
        yield rest
