"""The bytes of the chat's files, and of stills: `files_dir/<consultation>/<id>`, streamed within limits."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from core import files, stills
from core.database import Database
from core.errors import RemoteError
from core.ids import is_id, new_id
from core.messages import FileInfo
from signaling.file_content import SNIFF_BYTES, clean_name, media_type_of

log = structlog.get_logger()

FILE_MAX_BYTES: Final = 50_000_000
CONSULTATION_MAX_BYTES: Final = 500_000_000
CONSULTATION_MAX_FILES: Final = 1_000
MIN_FREE_BYTES: Final = 200_000_000
"""Left on the disk for everybody else."""
UPLOADS_MAX: Final = 16
UPLOADS_OF_ONE_MAX: Final = 2
WRITE_BYTES: Final = 1 << 20
STALE_S: Final = 3_600
_PART: Final = ".part"

Check = Callable[[FileInfo], None]


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Of one file, of a consultation's files together (and how many), and what stays free on the disk."""

    file_bytes: int = FILE_MAX_BYTES
    consultation_bytes: int = CONSULTATION_MAX_BYTES
    free_bytes: int = MIN_FREE_BYTES
    files: int = CONSULTATION_MAX_FILES


@dataclass(slots=True, eq=False)
class _Upload:
    """One that is under way."""

    consultation_id: str
    used_files: int = 0
    used_bytes: int = 0
    """By files that are complete."""
    reserved_bytes: int = 0


class FileStore:
    """Nothing of an upload stays that did not succeed."""

    def __init__(self, root: Path, database: Database, limits: FileLimits | None = None) -> None:
        self._root = root
        self._database = database
        self._limits = limits or FileLimits()
        self.under_way: list[_Upload] = []
        self._people: Counter[str] = Counter()

    def path(self, consultation_id: str, file_id: str) -> Path:
        """Where the bytes lie. Both are ids, which no path can hide in."""
        if not (is_id(consultation_id) and is_id(file_id)):
            raise ValueError("not an id")
        return self._root / consultation_id / file_id

    async def receive(
        self,
        consultation_id: str,
        person: str,
        name: str,
        length: int | None,
        chunks: AsyncIterator[bytes],
        *,
        file_id: str | None = None,
        check: Check = lambda info: None,
    ) -> FileInfo:
        """Store a file. `length`: what the sender announced. `file_id`: if it has one already, never used
        before. `check`: raises what speaks against keeping it.

        Raises `RemoteError` 413 `too_large`, 507 `no_space`, 429 `too_many_uploads`, 422 `empty_file`; and
        what `chunks` and `check` raise.
        """
        with self._under_way(person):
            upload = _Upload(consultation_id)
            self.under_way.append(upload)  # before the look: what is completed meanwhile is added to it
            try:
                used_files, used_bytes = await files.used(self._database, consultation_id)
                upload.used_files += used_files
                upload.used_bytes += used_bytes
                self._reserve(upload, length or 0)
                info = await self._store(upload, person, file_id or new_id("f"), name, chunks, check)
                self._completed(upload, info.size_bytes)
                return info
            finally:
                self.under_way.remove(upload)

    def _completed(self, upload: _Upload, size_bytes: int) -> None:
        """The others of its consultation began before it was in the database."""
        for other in self._beside(upload):
            if other is not upload:
                other.used_files += 1
                other.used_bytes += size_bytes
        upload.reserved_bytes = 0

    def _beside(self, upload: _Upload) -> list[_Upload]:
        """All of its consultation that are under way, itself included."""
        return [other for other in self.under_way if other.consultation_id == upload.consultation_id]

    async def _store(
        self,
        upload: _Upload,
        person: str,
        file_id: str,
        name: str,
        chunks: AsyncIterator[bytes],
        check: Check,
    ) -> FileInfo:
        target = self.path(upload.consultation_id, file_id)
        partial = target.with_suffix(_PART)
        try:
            info = await self._write(upload, partial, file_id, name, chunks)
            check(info)
            await asyncio.to_thread(_complete, partial, target)
            await files.add_file(self._database, upload.consultation_id, person, info)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                log.error("files.disk_refused", error=error.strerror)
                raise _no_space() from None
            raise
        return info

    async def _write(
        self, upload: _Upload, partial: Path, file_id: str, name: str, chunks: AsyncIterator[bytes]
    ) -> FileInfo:
        digest, head, size = hashlib.sha256(), b"", 0
        file = await asyncio.to_thread(_create, partial)
        try:
            async for block in _blocks(chunks):
                size += len(block)
                self._reserve(upload, size)
                head = head or block[:SNIFF_BYTES]
                await asyncio.to_thread(_append, file, digest, block)
        finally:
            os.close(file)
        if not size:
            raise RemoteError("the file is empty", code="empty_file", status=422)
        return FileInfo(
            file_id=file_id,
            name=clean_name(name),
            media_type=media_type_of(head),
            size_bytes=size,
            sha256=digest.hexdigest(),
        )

    def _reserve(self, upload: _Upload, size_bytes: int) -> None:
        """Raises `RemoteError` when the file is too large, or there is no room for so much."""
        limits = self._limits
        if size_bytes > limits.file_bytes:
            megabytes = limits.file_bytes // 1_000_000
            raise RemoteError(
                f"a file may have {megabytes} MB; send it another way", code="too_large", status=413
            )
        upload.reserved_bytes = max(upload.reserved_bytes, size_bytes)
        same = self._beside(upload)
        if upload.used_files + len(same) > limits.files:
            raise _no_space()
        used = upload.used_bytes + sum(other.reserved_bytes for other in same)
        if used > limits.consultation_bytes or self._free_bytes() - size_bytes < limits.free_bytes:
            raise _no_space()

    def _free_bytes(self) -> int:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self._root).free

    @contextmanager
    def _under_way(self, person: str) -> Iterator[None]:
        if self._people.total() >= UPLOADS_MAX or self._people[person] >= UPLOADS_OF_ONE_MAX:
            raise RemoteError("wait until another file has arrived", code="too_many_uploads", status=429)
        self._people[person] += 1
        try:
            yield
        finally:
            self._people[person] -= 1
            self._people = +self._people

    async def delete(self, consultation_ids: Iterable[str]) -> None:
        """Everything of these consultations: first the bytes, then that there were any."""
        wanted = [name for name in consultation_ids if is_id(name)]
        for name in wanted:
            await asyncio.to_thread(shutil.rmtree, self._root / name, True)
        await stills.delete_stills(self._database, wanted)
        await files.delete_files(self._database, wanted)

    async def delete_stale(self) -> None:
        """What an upload left behind when the process was killed."""
        await asyncio.to_thread(_delete_stale, self._root)


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Larger blocks: one write for many small chunks."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= WRITE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _create(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _append(file: int, digest: hashlib._Hash, block: bytes) -> None:
    digest.update(block)
    view = memoryview(block)
    while view:
        view = view[os.write(file, view) :]


def _complete(partial: Path, target: Path) -> None:
    """Durable before anybody is told that it is there."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _delete_stale(root: Path) -> None:
    before_s = time.time() - STALE_S
    for path in root.glob(f"*/*{_PART}"):
        with suppress(OSError):
            if path.stat().st_mtime < before_s:
                path.unlink()


def _no_space() -> RemoteError:
    return RemoteError("there is no room for this file here", code="no_space", status=507)
