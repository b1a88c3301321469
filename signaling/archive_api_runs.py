"""Pieces that follow each other, in one answer: a request for each would cost more than its bytes.

The answer is their ciphertext, one after the other without anything between: the entries of the manifest
say how long each is. It ends before one that is not as long as its entry says, or not there; that one has
to be asked for by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

from aiohttp import web
from pydantic import Field

from archive import layout
from core.messages import Model
from signaling.archive_api_ranges import BYTES, FOR_EVER, NEVER
from signaling.archive_api_store import ArchiveReader, ManifestIndex

MAX_PIECES: Final = 16
MAX_RUN_BYTES: Final = 16 << 20
"""The first piece comes in any case."""


class RunQuery(Model):
    """Numbers of pieces, both included; at most 16 of them come."""

    first: int = Field(ge=1, lt=layout.MAX_PIECES)
    last: int = Field(ge=1, lt=layout.MAX_PIECES)


Named = tuple[str, int, str]
"""Path, size, SHA-256."""


async def find_run(index: ManifestIndex, track: str, generation: str, wanted: RunQuery) -> list[Named]:
    """Those of them that entries name, up to the first that none does."""
    found: list[Named] = []
    total = 0
    if not generation.isdecimal() or int(generation) >= layout.MAX_GENERATIONS:
        return found
    for number in range(wanted.first, min(wanted.last, wanted.first + MAX_PIECES - 1) + 1):
        one = await _find(index, track, int(generation), number)
        if one is None or (found and total + one[1] > MAX_RUN_BYTES):
            break
        found.append(one)
        total += one[1]
    return found


async def _find(index: ManifestIndex, track: str, generation: int, number: int) -> Named | None:
    containers: tuple[layout.Container, ...] = ("mp4", "webm")
    for container in containers:
        path = layout.piece_path(track, generation, number, container)
        if (known := await index.find(path)) is not None:
            return (path, *known)
    return None


async def run_answer(
    reader: ArchiveReader, consultation: str, named: list[Named], *, whole: bool
) -> web.Response:
    """`whole`: everything that was asked for is named; only such an answer may be kept."""
    reads = [reader.read(consultation, path, 0, size + 1) for path, size, _ in named]
    parts = await asyncio.gather(*reads)
    good = next((at for at, (_, size, _) in enumerate(named) if len(parts[at]) != size), len(named))
    keep = whole and good == len(named)
    digest = hashlib.sha256("".join(one[2] for one in named[:good]).encode()).hexdigest()
    headers = {"Cache-Control": FOR_EVER if keep else NEVER, "ETag": f'"{digest}"'}
    return web.Response(body=b"".join(parts[:good]), content_type=BYTES, headers=headers)
