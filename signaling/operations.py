"""For operators and load balancers: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import get_args

import structlog
from aiohttp import web

from core.messages import Role
from signaling.context import CONTEXT

log = structlog.get_logger()


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/healthz", healthz)
    router.add_get("/readyz", readyz)
    router.add_get("/metrics", metrics)


async def healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when the database answers and a media worker is connected, else 503 saying which is missing."""
    context = request.app[CONTEXT]
    checks = {"database": True, "worker": bool(context.service.pool.connected)}
    try:
        async with asyncio.timeout(2):
            await context.database.ping()
    except Exception as error:  # whatever the driver raises: it is not ready
        log.warning("readyz.database", error=type(error).__name__)
        checks["database"] = False
    ready = all(checks.values())
    return web.json_response({"ready": ready, **checks}, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    context = request.app[CONTEXT]
    shown = context.metrics
    shown.rooms.set(len(context.service.rooms))
    shown.transports.set(len(context.service.uses))
    shown.workers.set(len(context.service.pool.connected))
    present = Counter(found.member.participant.role for found in context.service.attached.values())
    for role in get_args(Role):
        shown.participants.labels(role).set(present[role])
    return web.Response(body=shown.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
