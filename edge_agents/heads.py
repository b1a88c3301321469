"""Keeps what the server says of the archive: heads and checkpoints, a line each, in a bounded file.

The box belongs to the clinic, not to whoever runs the server: with this file the clinic can show that
something is missing (`teleconsult archive verify --log --witness heads.jsonl`). When the file is full, each
consultation's newest line stays, and of those the newest: a head vouches for everything before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from core.messages import ArchiveHead

MAX_BYTES: Final = 8 * 1024 * 1024
KEPT_SHARE: Final = 0.5
"""Of the bound: so much is left after making room."""

log = structlog.get_logger()


class KeptHeads:
    """`keep` what comes; a disk that refuses is said once and never stops anything else."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._failed = False
        self._lock = asyncio.Lock()

    async def keep(self, told: ArchiveHead) -> None:
        """Append it, durably."""
        async with self._lock:
            try:
                await asyncio.to_thread(append, self._path, told, self._max_bytes)
            except OSError as error:
                if not self._failed:
                    log.warning("head_not_kept", file=str(self._path), error=error.strerror)
                self._failed = True
            else:
                self._failed = False


def append(path: Path, told: ArchiveHead, max_bytes: int = MAX_BYTES) -> None:
    """Blocks. What a crash tore off at the end is cut first. Raises `OSError`."""
    line = told.model_dump_json(exclude={"type"}).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size + len(line) > max_bytes:
        _make_room(path, int(max_bytes * KEPT_SHARE))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        _cut_torn_line(file.fileno())
        file.write(line)
        os.fsync(file.fileno())


def _cut_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 1 << 20, max(0, size - (1 << 20)))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)


def _make_room(path: Path, wanted_bytes: int) -> None:
    """Keep each consultation's newest line, the newest ones first."""
    newest: dict[str, bytes] = {}
    with path.open("rb") as lines:
        for line in lines:
            with contextlib.suppress(ValidationError):
                told = ArchiveHead.model_validate_json(line)
                name = "" if told.head is None else told.head.consultation
                newest.pop(name, None)
                newest[name] = line
    kept: list[bytes] = []
    for line in reversed(newest.values()):
        wanted_bytes -= len(line)
        if wanted_bytes < 0:
            break
        kept.append(line)
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_bytes(b"".join(reversed(kept)))
    os.replace(fresh, path)
