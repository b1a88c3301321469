"""The signaling process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.clock import SystemClock
from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from signaling.app import create_app
from signaling.slow_clients import GUARD
from signaling.worker_client import TOKEN_VARIABLE

log = structlog.get_logger()

FIRST_REQUEST_WITHIN_S: Final = 15.0
KEEPALIVE_S: Final = 30.0
SHUTDOWN_S: Final = 3.0


async def run(settings: Settings, workers: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT. `workers`: addresses of the SFU workers' internal APIs.

    Raises `ConfigError` when the port, the certificate or a key file cannot be used.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    database = await Database.open(settings.database_url, clock)
    try:
        token = os.environ.get(TOKEN_VARIABLE) or None
        app = await create_app(settings, database, clock, workers, worker_token=token)
        async with serving(app, settings) as port:
            log.info("signaling.ready", host=settings.host, port=port)
            await stopping.wait()
    finally:
        await database.close()
    log.info("signaling.stopped")


@asynccontextmanager
async def serving(
    app: web.Application, settings: Settings, *, first_request_within_s: float = FIRST_REQUEST_WITHIN_S
) -> AsyncIterator[int]:
    """Listen while the context lasts; yields the port (of interest when `settings.port` is 0)."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_S,
        logger=_http_logger(),
    )
    await runner.setup()
    try:
        make_protocol = runner.server
        assert make_protocol is not None
        guard = app[GUARD]
        server = await _listen(lambda: guard.watch(make_protocol(), first_request_within_s), settings)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
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


async def _listen(factory: Callable[[], asyncio.Protocol], settings: Settings) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    place = f"{settings.host}:{settings.port}"
    try:
        return await loop.create_server(
            factory, settings.host, settings.port, ssl=_tls(settings), backlog=512, reuse_address=True
        )
    except OSError as error:
        raise ConfigError(f"cannot serve HTTP on {place}: {error.strerror}; set --port") from None


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{settings.tls_cert}: tls_cert, tls_key: {error}") from None
    return context
