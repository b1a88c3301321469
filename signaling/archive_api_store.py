"""Where the archive's bytes come from for the auditors' browsers: whatever store is configured. All of it is
ciphertext, or public by design; nothing here can open it.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import Any, Final

from archive import layout
from archive.chain import MAX_LINE_BYTES
from archive.store_base import Archive

KEPT_INDEXES: Final = 8
"""Manifests whose paths are kept in memory, about 10 MB for three hours of four tracks."""
READ_BYTES: Final = 4 * MAX_LINE_BYTES
_MARKS: Final = (layout.MANIFEST, layout.SESSION_KEY, layout.CLOSED)


class ArchiveReader:
    """Reads files of consultations' folders without holding up the event loop. `path` is one of
    `archive.layout`'s. All raise `OSError` when the store does not answer.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def exists(self, consultation: str) -> bool:
        """True when there is anything of that consultation's archive."""
        folder = self._archive.folder(consultation)
        return await asyncio.to_thread(lambda: any(folder.has(path) for path in _MARKS))

    async def size(self, consultation: str, path: str) -> int | None:
        """Bytes; None when there is no such file."""
        try:
            return await asyncio.to_thread(self._archive.folder(consultation).size, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def read(self, consultation: str, path: str, begin: int, end: int) -> bytes:
        """Bytes `begin` to `end` (exclusive); fewer when the file ends before, none when there is none."""
        folder = self._archive.folder(consultation)
        try:
            return await asyncio.to_thread(folder.read_range, path, begin, max(0, end - begin))
        except (FileNotFoundError, NotADirectoryError):
            return b""

    async def objects(self, consultation: str) -> list[str]:
        """Paths of everything under `tracks/` and `events/`."""
        return await asyncio.to_thread(self._archive.folder(consultation).objects)


class ManifestIndex:
    """What one consultation's manifest names, read as far as it is written. It does not verify anything: the
    reader in the browser does.
    """

    def __init__(self, reader: ArchiveReader, consultation: str) -> None:
        self._reader = reader
        self._consultation = consultation
        self._read_bytes = 0
        self.objects: dict[str, tuple[int, str]] = {}
        """Path → size, SHA-256."""

    async def refresh(self) -> None:
        """Read the lines that were added. A manifest that became shorter is read anew."""
        size = await self._reader.size(self._consultation, layout.MANIFEST) or 0
        if size < self._read_bytes:
            self._read_bytes, self.objects = 0, {}
        while self._read_bytes < size:
            end = min(size, self._read_bytes + READ_BYTES)
            block = await self._reader.read(self._consultation, layout.MANIFEST, self._read_bytes, end)
            whole = block.rfind(b"\n") + 1
            if whole == 0:
                return
            self.objects.update(await asyncio.to_thread(_named, block[:whole]))
            self._read_bytes += whole

    async def find(self, path: str) -> tuple[int, str] | None:
        """Size and SHA-256 of an object that an entry names; None for everything else."""
        if not layout.is_object_path(path):
            return None
        if path not in self.objects:
            await self.refresh()
        return self.objects.get(path)


class Indexes:
    """Those used last."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader
        self._kept: OrderedDict[str, ManifestIndex] = OrderedDict()

    def of(self, consultation: str) -> ManifestIndex:
        """The consultation's, made if need be."""
        index = self._kept.setdefault(consultation, ManifestIndex(self._reader, consultation))
        self._kept.move_to_end(consultation)
        while len(self._kept) > KEPT_INDEXES:
            self._kept.popitem(last=False)
        return index


def _named(lines: bytes) -> dict[str, tuple[int, str]]:
    """The objects in whole lines; a line that is no entry names nothing."""
    found: dict[str, tuple[int, str]] = {}
    for line in lines.splitlines():
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        path, size, digest = entry.get("object"), entry.get("size"), entry.get("sha256")
        if isinstance(path, str) and isinstance(size, int) and isinstance(digest, str):
            found[path] = (size, digest)
    return found
