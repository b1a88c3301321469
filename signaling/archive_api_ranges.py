"""Bytes over HTTP in any part: ranges (RFC 9110 §14), validators (§13), sizes. The source `Reads`,
so this works for stores that are no files of this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from signaling.problems import problem

BLOCK_BYTES: Final = 1 << 20
BYTES: Final = "application/octet-stream"
FOR_EVER: Final = "private, max-age=31536000, immutable"
"""An object never changes: its name is taken once, and its entry says its hash."""
NEVER: Final = "no-store"
"""For what a verifier must see as it is now."""


class Reads(Protocol):
    """Where the bytes come from: `signaling.archive_api_store.ArchiveReader`, or memory."""

    async def read(self, consultation: str, path: str, begin: int, end: int) -> bytes:
        """Bytes `begin` to `end` (exclusive); fewer when the file ends before."""


@dataclass(frozen=True)
class Remembered:
    """A file that was read already."""

    data: bytes

    async def read(self, _consultation: str, _path: str, begin: int, end: int) -> bytes:
        return self.data[begin:end]


@dataclass(frozen=True)
class Served:
    """A file of a consultation's folder, and how it is handed out. `etag`: without quotes, strong."""

    consultation: str
    path: str
    size: int
    etag: str
    media_type: str = BYTES
    caching: str = NEVER


async def serve(request: web.Request, reader: Reads, file: Served) -> web.StreamResponse:
    """The file, the part that was asked for, or that it has not changed."""
    headers = {
        "ETag": f'"{file.etag}"',
        "Cache-Control": file.caching,
        "Accept-Ranges": "bytes",
        "Content-Type": file.media_type,
    }
    if _has_it(request, file.etag):
        return web.Response(status=304, headers=headers)
    wanted = _wanted(request, file)
    begin, end, _ = (wanted or slice(0, None)).indices(file.size)
    if wanted is not None and begin >= end:
        outside = {"Content-Range": f"bytes */{file.size}"}
        return problem(416, "range_not_satisfiable", "the file ends before", outside)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{file.size}"
    response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
    return await _send(request, reader, file, (begin, end), response)


async def _send(
    request: web.Request,
    reader: Reads,
    file: Served,
    part: tuple[int, int],
    response: web.StreamResponse,
) -> web.StreamResponse:
    begin, end = part
    response.content_length = end - begin
    first = b"" if request.method == "HEAD" else await _block(reader, file, begin, end)
    await response.prepare(request)  # only now: a store that does not answer is still a proper answer
    if request.method != "HEAD":
        await _write(response, reader, file, (begin, end), first)
    await response.write_eof()
    return response


async def _write(
    response: web.StreamResponse, reader: Reads, file: Served, part: tuple[int, int], first: bytes
) -> None:
    """Raises `ConnectionResetError` when the file became shorter: the answer must not look whole."""
    begin, end = part
    block = first
    while block:
        await response.write(block)
        begin += len(block)
        block = await _block(reader, file, begin, end)
    if begin < end:
        raise ConnectionResetError("the file ended before the size it had")


async def _block(reader: Reads, file: Served, begin: int, end: int) -> bytes:
    if begin >= end:
        return b""
    return await reader.read(file.consultation, file.path, begin, min(end, begin + BLOCK_BYTES))


def _has_it(request: web.Request, etag: str) -> bool:
    return any(one.value in (etag, "*") for one in request.if_none_match or ())


def _wanted(request: web.Request, file: Served) -> slice | None:
    """The range that is asked for, of this very version (RFC 9110 §13.1.5); what is no range is ignored."""
    if request.headers.get("If-Range") not in (None, f'"{file.etag}"'):
        return None
    try:
        return request.http_range if "Range" in request.headers else None
    except ValueError:
        return None
