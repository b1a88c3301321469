"""Pictures of frozen frames over HTTP: sent by the box that was asked, fetched by who may see its feed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import struct
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from aiohttp import web

from core.errors import Conflict, NotFound, RemoteError, TeleconsultError
from core.messages import FileInfo, Still
from signaling import freezing
from signaling.api import Call, Operation, Raw
from signaling.file_routes import FILE_WITHIN_S, FILES, SANDBOX, chunks_of, too_slow
from signaling.stills import Stills, Wanted

PNG: Final = "image/png"
STILL_MAX_BYTES: Final = 32_000_000
"""A 4K picture of noise is 25 MB as PNG."""
SIDE_MAX_PIXELS: Final = 8_192
DIGEST_HEADER: Final = "Content-Digest"
_SHA256: Final = "sha-256=:"
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_HEAD_BYTES: Final = len(_SIGNATURE) + 8


async def send_still(call: Call) -> Still:
    """The body is the PNG. Raises `RemoteError`; then nothing of it is kept."""
    context, consultation = call.context, call.consultation.consultation_id
    room = context.service.room_of(consultation)
    if room is None:
        raise NotFound("nobody is there any more", code="still_not_found")
    stills = await freezing.load(context, consultation)
    wanted = stills.awaited(call.path("still_id"), call.bearer.sub)
    if wanted.arriving:
        raise Conflict("this picture is being sent already", code="still_there")
    if room.consultation.paused:
        raise freezing.paused(context, room, stills, wanted.still.still_id)
    wanted.arriving = True
    try:
        picture = _Picture(_digest(call.request))
        info = await _receive(call, stills, wanted, picture)
        if room.consultation.paused:
            raise freezing.paused(context, room, stills, wanted.still.still_id)
        still = await freezing.arrived(context, room, stills, info, picture.width, picture.height)
    except TeleconsultError as error:
        context.metrics.files.labels(error.code).inc()
        raise
    finally:
        wanted.arriving = False
    context.metrics.files.labels("ok").inc()
    context.metrics.file_bytes.inc(info.size_bytes)
    await context.audit(call.bearer.sub, "send_still", f"{consultation} {still.still_id}")
    return still


async def _receive(call: Call, stills: Stills, wanted: Wanted, picture: _Picture) -> FileInfo:
    """Within the bounds of the chat's files."""
    request, still = call.request, wanted.still
    length = request.content_length
    if length is not None and length > STILL_MAX_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(FILE_WITHIN_S):
            return await request.app[FILES].receive(
                call.consultation.consultation_id,
                call.bearer.sub,
                f"{still.feed}.png",
                length,
                picture.checked(chunks_of(request)),
                file_id=still.still_id,
                check=picture.check,
            )
    except TimeoutError:
        raise too_slow() from None


class _Picture:
    """What is checked of a picture while it comes: how large it is, and that it is the one announced."""

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        self.width = self.height = 0

    async def checked(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Passes on what comes. Raises `RemoteError`."""
        head, size = b"", 0
        async for chunk in chunks:
            size += len(chunk)
            if size > STILL_MAX_BYTES:
                raise _too_large()
            if len(head) < _HEAD_BYTES:
                head += chunk[: _HEAD_BYTES - len(head)]
                self._look(head)
            yield chunk
        if len(head) < _HEAD_BYTES:
            raise _no_still()

    def _look(self, head: bytes) -> None:
        """Its signature, and the size its first chunk says (PNG 5.2, 11.2.1)."""
        if not _SIGNATURE.startswith(head[: len(_SIGNATURE)]):
            raise _no_still()
        if len(head) == _HEAD_BYTES:
            self.width, self.height = struct.unpack(">II", head[len(_SIGNATURE) :])
            if not (0 < self.width <= SIDE_MAX_PIXELS and 0 < self.height <= SIDE_MAX_PIXELS):
                raise _no_still()

    def check(self, info: FileInfo) -> None:
        """Before it is kept."""
        if info.sha256 != self._sha256:
            raise RemoteError("these are not the bytes that were announced", code="wrong_hash", status=422)


async def fetch_still(call: Call) -> web.StreamResponse:
    """Raises `NotFound`, also for feeds the caller may not see; `Conflict` while the site pauses."""
    consultation, still_id = call.consultation, call.path("still_id")
    stills = await freezing.load(call.context, consultation.consultation_id)
    still = stills.ready.get(still_id)
    path = call.request.app[FILES].path(consultation.consultation_id, still_id)
    may_view = still is not None and call.bearer.grants.may_view(still.feed)
    if still is None or still.file is None or not may_view or not await asyncio.to_thread(path.is_file):
        raise NotFound("there is no such still", code="still_not_found")
    room = call.context.service.room_of(consultation.consultation_id)
    if consultation.paused or (room is not None and room.consultation.paused):
        raise Conflict("picture and sound are paused", code="paused")
    await call.context.audit(call.bearer.sub, "fetch_still", f"{consultation.consultation_id} {still_id}")
    headers = {
        "Content-Type": PNG,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(still.file.name, safe='')}",
        "Content-Security-Policy": SANDBOX,
        "Cache-Control": "private, no-store",
    }
    return web.FileResponse(path, headers=headers)


def _digest(request: web.Request) -> str:
    """The SHA-256 that was announced, in hexadecimal (RFC 9530 §2). Raises `RemoteError`."""
    for part in request.headers.get(DIGEST_HEADER, "").split(","):
        value = part.strip()
        if value.startswith(_SHA256) and value.endswith(":"):
            try:
                digest = base64.b64decode(value[len(_SHA256) : -1], validate=True)
            except (binascii.Error, ValueError):
                break
            if len(digest) == 32:
                return digest.hex()
    raise RemoteError(f"{DIGEST_HEADER}: sha-256=:…: is needed", code="bad_digest", status=422)


def _too_large() -> RemoteError:
    megabytes = STILL_MAX_BYTES // 1_000_000
    return RemoteError(f"a still may have {megabytes} MB", code="too_large", status=413)


def _no_still() -> RemoteError:
    return RemoteError(
        f"this is no PNG of at most {SIDE_MAX_PIXELS} × {SIDE_MAX_PIXELS} pixels",
        code="not_a_still",
        status=422,
    )


OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/v1/rooms/{room}/stills/{still_id}",
        send_still,
        name="send_still",
        summary="The frame take_still asked this box for, as PNG. Content-Digest: its SHA-256 (RFC 9530)",
        who="room",
        tag="rooms",
        grants=("publish",),
        request=Raw(PNG, "the frame"),
        response=Still,
        status=201,
        codes=(
            (400, "bad_body"),
            (404, "still_not_found"),
            (408, "too_slow"),
            (409, "still_there"),
            (409, "paused"),
            (413, "too_large"),
            (422, "bad_digest"),
            (422, "wrong_hash"),
            (422, "not_a_still"),
            (429, "too_many_uploads"),
            (507, "no_space"),
        ),
    ),
    Operation(
        "GET",
        "/api/v1/rooms/{room}/stills/{still_id}",
        fetch_still,
        name="fetch_still",
        summary="A frozen frame, for who may see its feed",
        who="room",
        tag="rooms",
        grants=("subscribe",),
        response=Raw(PNG, "the frame"),
        codes=((404, "still_not_found"), (409, "paused")),
    ),
)
