"""Files of the chat over HTTP: sent before the message that names them, fetched by whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote, unquote

import aiohttp
from aiohttp import web

from core.errors import NotFound, RemoteError, TeleconsultError
from core.files import find_file, is_still
from core.messages import FileInfo
from signaling.api import Call, Operation, Raw
from signaling.file_content import OTHER, PICTURES
from signaling.file_store import FileStore

FILES: Final = web.AppKey("files", FileStore)
NAME_HEADER: Final = "X-File-Name"
CHUNK_WITHIN_S: Final = 20.0
FILE_WITHIN_S: Final = 900.0
"""50 MB in this time is 0.5 Mbit/s."""
SANDBOX: Final = "sandbox; default-src 'none'"
"""Whatever the file is, a browser that opens it runs nothing of it."""


async def send_file(call: Call) -> FileInfo:
    """The body is the file. Raises `RemoteError`; then nothing of it is kept."""
    claims, request, metrics = call.bearer, call.request, call.context.metrics
    name = unquote(request.headers.get(NAME_HEADER, ""), errors="replace")
    target = call.consultation.consultation_id
    try:
        async with asyncio.timeout(FILE_WITHIN_S):
            info = await request.app[FILES].receive(
                target, claims.sub, name, request.content_length, chunks_of(request)
            )
    except TimeoutError:
        metrics.files.labels("too_slow").inc()
        raise too_slow() from None
    except TeleconsultError as error:
        metrics.files.labels(error.code).inc()
        raise
    metrics.files.labels("ok").inc()
    metrics.file_bytes.inc(info.size_bytes)
    await call.context.audit(claims.sub, "send_file", f"{target} {info.file_id}")
    return info


async def chunks_of(request: web.Request) -> AsyncIterator[bytes]:
    """The body. Raises `RemoteError` when the sender stalls, or ends in the middle."""
    while True:
        try:
            async with asyncio.timeout(CHUNK_WITHIN_S):
                chunk = await request.content.readany()
        except TimeoutError:
            raise too_slow() from None
        except (aiohttp.ClientError, web.RequestPayloadError, ConnectionError):
            raise RemoteError("the file did not arrive whole; send it again", code="bad_body") from None
        if not chunk:
            return
        yield chunk


async def archive_file(call: Call) -> web.StreamResponse:
    """For the recorder, as long as it is kept: also just after the consultation's end. Raises `NotFound`."""
    consultation, file_id = call.consultation.consultation_id, call.path("file_id")
    path = call.request.app[FILES].path(consultation, file_id)
    known = await find_file(call.context.database, consultation, file_id)
    if known is None or not await asyncio.to_thread(path.is_file):
        raise NotFound("there is no such file", code="file_not_found")
    await call.context.audit(call.caller.sub, "archive_file", f"{consultation} {file_id}")
    return web.FileResponse(path, headers={"Content-Type": OTHER, "Cache-Control": "private, no-store"})


async def fetch_file(call: Call) -> web.StreamResponse:
    """Pictures to be shown, everything else to be kept. Raises `NotFound`, also for other consultations'."""
    consultation, file_id = call.consultation.consultation_id, call.path("file_id")
    info = None if is_still(file_id) else await find_file(call.context.database, consultation, file_id)
    path = call.request.app[FILES].path(consultation, file_id)
    if info is None or not await asyncio.to_thread(path.is_file):
        raise NotFound("there is no such file", code="file_not_found")
    await call.context.audit(call.bearer.sub, "fetch_file", f"{consultation} {file_id}")
    shown = "inline" if info.media_type in PICTURES else "attachment"
    headers = {
        "Content-Type": info.media_type,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(info.name, safe='')}",
        "Content-Security-Policy": SANDBOX,
        "Cache-Control": "private, no-store",
    }
    return web.FileResponse(path, headers=headers)


def too_slow() -> RemoteError:
    """It takes too long to arrive."""
    return RemoteError("the file came too slowly; send it again", code="too_slow", status=408)


OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/v1/rooms/{room}/files",
        send_file,
        name="send_file",
        summary="Send a file to be named in a chat message. X-File-Name: its name, percent-encoded UTF-8",
        who="room",
        tag="rooms",
        grants=("chat",),
        request=Raw(OTHER, "the file"),
        response=FileInfo,
        status=201,
        codes=(
            (400, "bad_body"),
            (408, "too_slow"),
            (413, "too_large"),
            (422, "empty_file"),
            (429, "too_many_uploads"),
            (507, "no_space"),
        ),
    ),
    Operation(
        "GET",
        "/api/v1/rooms/{room}/files/{file_id}",
        fetch_file,
        name="fetch_file",
        summary="A file of the chat",
        who="room",
        tag="rooms",
        grants=("chat", "record"),
        response=Raw(OTHER, "the file, by its own media type"),
        codes=((404, "file_not_found"),),
    ),
    Operation(
        "GET",
        "/api/v1/consultations/{consultation_id}/files/{file_id}",
        archive_file,
        name="fetch_file_for_archive",
        summary="A file of the chat, for the archive",
        who=("recorder",),
        scope="part",
        response=Raw(OTHER, "the file"),
        codes=((404, "file_not_found"),),
    ),
)
