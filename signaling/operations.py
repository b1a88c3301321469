"""For operators and load balancers: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from aiohttp import web

from core.device_health import TROUBLES
from core.messages import Model, Role
from signaling import archive_copy
from signaling.api import Operation, Raw
from signaling.context import CONTEXT, Context
from signaling.draining import DRAIN
from signaling.readiness import DIRECTORY, TLS, Readiness, look


class Health(Model):
    status: Literal["ok"]


async def healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when the database answers and a media worker is connected, else 503 saying what is waited for."""
    found = await look(request.app)
    headers = None if found.ready else {"Retry-After": "1"}
    return web.json_response(found.model_dump(), status=200 if found.ready else 503, headers=headers)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    context = request.app[CONTEXT]
    shown = context.metrics
    shown.tasks.set(len(asyncio.all_tasks()))
    shown.rooms.set(len(context.service.rooms))
    shown.transports.set(len(context.service.uses))
    shown.workers.set(len(context.service.pool.connected))
    shown.waiting.set(len(context.service.waiting))
    shown.paused.set(sum(room.consultation.paused for room in context.service.rooms.values()))
    shown.worker_figures.figures = await context.service.pool.figures()
    shown.draining.set(request.app[DRAIN].begun)
    shown.directory.set(request.app[DIRECTORY].reachable)
    copy = archive_copy.read_status(context.settings.archive_dir)
    shown.copy_failing.set(copy is not None and copy.failing_since_us is not None)
    shown.copy_behind.set(0 if copy is None else copy.behind_s(datetime.now(UTC)))
    shown.log_leaves.set(context.log.writer.book.size)
    shown.log_fails.set(context.log.failure is not None)
    _show_boxes(context)
    tls = request.app.get(TLS)
    if tls is not None:
        shown.certificate_ends.set(tls.facts.not_after.timestamp())
    present = Counter(found.member.participant.role for found in context.service.attached.values())
    for role in get_args(Role):
        shown.participants.labels(role).set(present[role])
    return web.Response(body=shown.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})


def _show_boxes(context: Context) -> None:
    """In sums: labels are words of fixed lists, never a box's name."""
    shown, online = context.metrics, context.boxes.online(context.clock.monotonic_ns())
    feeds = [feed for health in online for feed in health.feeds]
    shown.boxes.set(len(online))
    shown.box_feeds.labels("flowing").set(sum(feed.flowing for feed in feeds))
    shown.box_feeds.labels("still").set(sum(not feed.flowing for feed in feeds))
    troubles = Counter(trouble for health in online for trouble in health.troubles)
    for trouble in TROUBLES:
        shown.box_troubles.labels(trouble).set(troubles[trouble])
    shown.box_temperature.set(max((health.temperature_c or 0 for health in online), default=0))


_PROMETHEUS: Final = Raw("text/plain", "Prometheus text format")
OPERATIONS: Final = (
    Operation(
        "GET",
        "/healthz",
        healthz,
        name="healthz",
        summary="The process answers",
        who="anyone",
        tag="operation",
        response=Health,
        own=True,
    ),
    Operation(
        "GET",
        "/readyz",
        readyz,
        name="readyz",
        summary="Ready to serve: the database answers and a media worker is connected; else 503",
        who="anyone",
        tag="operation",
        response=Readiness,
        own=True,
    ),
    Operation(
        "GET",
        "/metrics",
        metrics,
        name="metrics",
        summary="Metrics of this process",
        who="anyone",
        tag="operation",
        response=_PROMETHEUS,
        own=True,
    ),
)
