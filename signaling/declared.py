"""All operations of the service, in one list, and the pages that describe them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

from aiohttp import web

from core.errors import NotFound
from signaling import (
    accounts,
    archive_admin,
    archive_api,
    backfill_routes,
    consultation_routes,
    device_admin,
    device_routes,
    file_routes,
    guest_routes,
    log_routes,
    operations,
    opinions,
    site_routes,
    still_routes,
    wish,
)
from signaling.api import Operation, Raw
from signaling.openapi import JSON, describe
from signaling.room_socket import room_socket
from signaling.sign_in import Throttle
from signaling.static import StaticFiles
from signaling.views import RoomQuery

API_VERSION: Final = "1.0"
DOCS_PAGE: Final = "docs/index.html"
_FRESH: Final = {"Cache-Control": "no-cache"}

_SOCKET: Final = Operation(
    "GET",
    "/ws",
    room_socket,
    name="room_socket",
    summary="The room's WebSocket: messages as in core/messages.py; the first is hello, with a room token",
    who="anyone",
    tag="rooms",
    query=RoomQuery,
    status=101,
    own=True,
    head=False,
)


class Pages:
    """`/openapi.json`, `/docs`, and the web client."""

    def __init__(self, web_root: Path) -> None:
        self.document: str = ""
        self._docs = web_root / DOCS_PAGE
        self._static = StaticFiles(web_root)

    async def openapi(self, _request: web.Request) -> web.Response:
        """The same for everybody."""
        return web.Response(text=self.document, content_type=JSON, headers=_FRESH)

    async def docs(self, _request: web.Request) -> web.StreamResponse:
        """Raises `NotFound` when the web client is not built."""
        if not await asyncio.to_thread(self._docs.is_file):
            raise NotFound("this page is built with the web client: make web", code="page_not_found")
        return web.FileResponse(self._docs, headers=_FRESH)

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        return (
            Operation(
                "GET",
                "/openapi.json",
                self.openapi,
                name="openapi",
                summary="This description",
                who="anyone",
                tag="operation",
                response=Raw(JSON, "OpenAPI 3.1"),
                own=True,
            ),
            Operation(
                "GET",
                "/docs",
                self.docs,
                name="docs",
                summary="This description, to browse",
                who="anyone",
                tag="operation",
                response=Raw("text/html", "a page"),
                own=True,
            ),
            Operation(
                "GET",
                "/{path:(?!api/|whip/|whep/).*}",
                self._static.serve,
                name="web_client",
                summary="The web client: everything no other operation takes",
                who="anyone",
                own=True,
                described=False,
            ),
        )


def declared_operations(web_root: Path) -> tuple[Operation, ...]:
    """Everything the application answers, in the order of its routes."""
    throttle, pages = Throttle(), Pages(web_root)
    declared = (
        *accounts.operations(throttle),
        *site_routes.OPERATIONS,
        *device_admin.OPERATIONS,
        *device_routes.OPERATIONS,
        *backfill_routes.OPERATIONS,
        *consultation_routes.OPERATIONS,
        *guest_routes.operations(throttle),
        *file_routes.OPERATIONS,
        *still_routes.OPERATIONS,
        *opinions.OPERATIONS,
        *log_routes.OPERATIONS,
        *archive_api.operations(),
        *archive_admin.OPERATIONS,
        _SOCKET,
        *wish.OPERATIONS,
        *operations.OPERATIONS,
        *pages.operations(),
    )
    pages.document = json.dumps(describe(declared, API_VERSION), ensure_ascii=False)
    return declared
