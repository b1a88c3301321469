"""Starting in any order: a database that is not there yet is waited for, and whoever asks is told so."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from signaling.slow_clients import GUARD, SlowClients, note_request

log = structlog.get_logger()

AGAIN_FIRST_S: Final = 0.2
AGAIN_MAX_S: Final = 5.0
SAY_AGAIN_S: Final = 30.0
HOPELESS: Final = {
    "28P01": "the password is wrong",
    "28000": "the server does not let this user in",
    "3D000": "there is no such database; create it with createdb",
}
"""PostgreSQL's codes (SQLSTATE) for what waiting does not heal."""


def database_place(settings: Settings) -> str:
    """The database for a person, without its password."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return f"SQLite at {url.database}"
    return f"PostgreSQL at {url.host or 'the local socket'}:{url.port or 5432}, database {url.database}"


async def open_when_reachable(settings: Settings, clock: Clock) -> Database:
    """Open the database as soon as it answers. Raises `ConfigError` for what no waiting heals."""
    loop = asyncio.get_running_loop()
    pause_s, said_s = AGAIN_FIRST_S, -SAY_AGAIN_S
    while True:
        try:
            return await Database.open(settings.database_url, clock)
        except (OSError, DBAPIError) as error:
            _raise_if_hopeless(settings, error)
            if loop.time() - said_s >= SAY_AGAIN_S:
                said_s = loop.time()
                log.warning("waiting", **{"for": database_place(settings)}, error=type(error).__name__)
        except (NoSuchModuleError, ModuleNotFoundError):
            raise ConfigError(
                "database_url: the driver for PostgreSQL is missing: pip install asyncpg"
            ) from None
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, AGAIN_MAX_S)


def _raise_if_hopeless(settings: Settings, error: Exception) -> None:
    place = database_place(settings)
    if place.startswith("SQLite"):
        raise ConfigError(
            f"{place} cannot be opened; may this user write there? (data_dir, database_url)"
        ) from error
    original = error.orig if isinstance(error, DBAPIError) else error
    reason = HOPELESS.get(str(getattr(original, "sqlstate", "")))
    if reason is not None:
        raise ConfigError(f"{place}: {reason} (database_url)") from None


def waiting_room(settings: Settings) -> web.Application:
    """What is served until the database is there: alive, not ready, and why."""
    missing = database_place(settings)

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def not_ready(_request: web.Request) -> web.Response:
        body = {"ready": False, "database": False, "worker": False, "waiting_for": [missing]}
        return web.json_response(body, status=503, headers={"Retry-After": "1"})

    app = web.Application(middlewares=[note_request])
    app[GUARD] = SlowClients()
    app.router.add_get("/healthz", healthz)
    app.router.add_route("*", "/{path:.*}", not_ready)
    return app
