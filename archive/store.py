"""Files of an archive: whole or absent, on disk before anything says so.

An object is written under a temporary name, fsynced, renamed, and its folder fsynced; only then may the
manifest name it. A manifest line that could not be written whole is taken back.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from archive import layout
from core.errors import Conflict

HASH_BLOCK_BYTES: Final = 1 << 20
MAX_VECTOR: Final = os.sysconf("SC_IOV_MAX")


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`: after a crash it is there complete or not at all. Raises `OSError`, leaving
    nothing.
    """
    temporary = path.with_name(path.name + layout.TEMPORARY_SUFFIX)
    write_temporary(temporary, (data,), mode=mode)
    move_into_place(temporary, path)


def write_temporary(temporary: Path, blocks: Iterable[bytes | bytearray], *, mode: int = 0o644) -> None:
    """Write and sync a file nobody reads by that name. Raises `OSError`, leaving nothing."""
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            write_all(file.fileno(), *blocks)
            os.fdatasync(file.fileno())  # bytes and length; when they were written is nobody's business
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def move_into_place(temporary: Path, path: Path) -> None:
    """Give it the name it is read by, durably. Raises `OSError`, leaving nothing."""
    try:
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold the folder against others that would change one of its lists at the same time."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def add_line(path: Path, line: str) -> None:
    """Append `line` to a list others may be reading: they see the old list or the new one, never a part.

    Call it under `locked_folder`. A last line an editor left without its end gets one.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(path, f"{before}{line}\n".encode())


def make_directories(root: Path, relative: str) -> None:
    """Create the folders of `relative` under `root`, durably."""
    here = root
    for part in relative.split("/"):
        parent, here = here, here / part
        if not here.is_dir():
            here.mkdir()
            sync_directory(parent)


def hash_bytes(data: bytes) -> str:
    """SHA-256 (hexadecimal)."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size of a file. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def list_objects(folder: Path) -> list[str]:
    """Relative paths of all files in the folders of objects, sorted; temporary ones left out."""
    found = []
    for top in layout.OBJECT_FOLDERS:
        for directory, _, names in os.walk(folder / top):
            base = Path(directory).relative_to(folder).as_posix()
            found += [f"{base}/{name}" for name in names if not name.endswith(layout.TEMPORARY_SUFFIX)]
    return sorted(found)


def remove_temporaries(folder: Path) -> None:
    """Remove what a crash left half-written."""
    for path in folder.rglob("*" + layout.TEMPORARY_SUFFIX):
        path.unlink()


def read_optional(path: Path) -> bytes | None:
    """Content of a small file; None when there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


class ManifestFile:
    """The manifest, open for appending by one process at a time (an advisory lock enforces it)."""

    def __init__(self, path: Path) -> None:
        """Raises `Conflict` when another process writes it, `OSError` when it cannot be opened."""
        self._file: BinaryIO = path.open("r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Conflict(f"{path.parent.name}: another process is writing this archive") from None
        self._good_bytes = os.fstat(self._file.fileno()).st_size
        self._dirty = False

    def lines(self) -> Iterator[bytes]:
        """Every line, the last perhaps without a newline."""
        self._file.seek(0)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as reader:
            yield from reader

    def cut(self, size_bytes: int) -> None:
        """Drop everything after `size_bytes`, durably."""
        self._good_bytes, self._dirty = size_bytes, True
        self._repair()

    def append(self, line: bytes) -> None:
        """Add a line, durably. Raises `OSError`; the file is then as before, or is made so by the next
        append.
        """
        if self._dirty:
            self._repair()
        self._dirty = True
        try:
            self._file.seek(self._good_bytes)
            write_all(self._file.fileno(), line)
            os.fdatasync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._repair()
            raise
        self._good_bytes += len(line)
        self._dirty = False

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        """Release the lock."""
        self._file.close()

    def _repair(self) -> None:
        os.ftruncate(self._file.fileno(), self._good_bytes)
        os.fsync(self._file.fileno())
        self._dirty = False


def write_all(descriptor: int, *blocks: bytes | bytearray) -> None:
    """Write them, in one call where the system takes them. Raises `OSError`."""
    left = sum(map(len, blocks)) - os.writev(descriptor, blocks[:MAX_VECTOR])
    if left:
        view = memoryview(b"".join(blocks))[-left:]
        while view:
            view = view[os.write(descriptor, view) :]
