"""The signaling process."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core import systemd
from core.clock import Clock, SystemClock
from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from core.stopping import Stopping, stopped_by_signals
from signaling.app import create_app
from signaling.draining import drain
from signaling.readiness import TLS, tell_what_is_missing
from signaling.slow_clients import GUARD
from signaling.starting import open_when_reachable, waiting_room
from signaling.tls import ServerTls, require_tls_outside
from signaling.worker_client import TOKEN_VARIABLE
from transport.garbage import GarbagePlan

log = structlog.get_logger()

FIRST_REQUEST_WITHIN_S: Final = 15.0
KEEPALIVE_S: Final = 30.0
LINGER_S: Final = 60.0
"""How long the rest of a refused body is read, and thrown away: a browser takes the answer only after it."""
SHUTDOWN_S: Final = 3.0
PATIENCE_S: Final = 1.0
"""A database usually answers sooner; after that, whoever asks is told that it is waited for."""


async def run(settings: Settings, workers: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `workers`: addresses of the SFU workers' internal APIs.

    Raises `ConfigError` when the port, the certificate or a key file cannot be used.
    """
    require_tls_outside(settings)
    with stopped_by_signals() as stopping:
        clock = SystemClock()
        database = await _open_database(settings, clock, stopping)
        if database is None:
            return
        try:
            token = os.environ.get(TOKEN_VARIABLE) or None
            app = await create_app(settings, database, clock, workers, worker_token=token)
            garbage = GarbagePlan()
            garbage.start()  # a full collection while people draw would be a pause they see
            try:
                await _serve(app, settings, stopping)
            finally:
                garbage.stop()
        finally:
            await database.close()
    log.info("signaling.stopped")


async def _serve(app: web.Application, settings: Settings, stopping: Stopping) -> None:
    async with serving(app, settings) as port, systemd.ready(f"serving on port {port}"):
        log.info("signaling.ready", host=settings.host, port=port, tls=settings.tls_cert is not None)
        telling = asyncio.create_task(tell_what_is_missing(app))
        await stopping.asked.wait()
        telling.cancel()
        systemd.notify(STOPPING="1", STATUS="draining")
        draining = asyncio.create_task(drain(app, settings.drain_s))
        at_once = asyncio.create_task(stopping.at_once.wait())
        await asyncio.wait({draining, at_once}, return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, at_once):
            task.cancel()


async def _open_database(settings: Settings, clock: Clock, stopping: Stopping) -> Database | None:
    """Open it as soon as it can be reached; until then say what is waited for. None: asked to stop before."""
    opening = asyncio.create_task(open_when_reachable(settings, clock))
    asked = asyncio.create_task(stopping.asked.wait())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        async with serving(waiting_room(settings), settings):
            await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if opening.done():
        return opening.result()
    opening.cancel()
    return None


@asynccontextmanager
async def serving(
    app: web.Application, settings: Settings, *, first_request_within_s: float = FIRST_REQUEST_WITHIN_S
) -> AsyncIterator[int]:
    """Listen while the context lasts; yields the port (of interest when `settings.port` is 0)."""
    tls = ServerTls.of(settings)
    if tls is not None:
        app[TLS] = tls
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_S,
        lingering_time=LINGER_S,
        logger=_http_logger(),
    )
    await runner.setup()
    try:
        make_protocol = runner.server
        assert make_protocol is not None
        guard = app[GUARD]
        server = await _listen(lambda: guard.watch(make_protocol(), first_request_within_s), settings, tls)
        watching = None if tls is None else asyncio.create_task(tls.watch())
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            if watching is not None:
                watching.cancel()
            server.close()
            guard.close()
    finally:
        await runner.cleanup()


class _NoUnreadableRequests(logging.Filter):
    """aiohttp logs bytes it cannot parse. They may be a password, framed wrongly: only the sender is told."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _http_logger() -> logging.Logger:
    logger = logging.getLogger("signaling.http")
    if not logger.filters:
        logger.addFilter(_NoUnreadableRequests())
    return logger


async def _listen(
    factory: Callable[[], asyncio.Protocol], settings: Settings, tls: ServerTls | None
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    place = f"{settings.host}:{settings.port}"
    context = None if tls is None else tls.context
    try:
        return await loop.create_server(
            factory, settings.host, settings.port, ssl=context, backlog=512, reuse_address=True
        )
    except OSError as error:
        raise ConfigError(f"cannot serve HTTP on {place}: {error.strerror}; set --port") from None
