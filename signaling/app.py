"""Puts the signaling service together."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from core.clock import Clock
from core.config import Settings
from core.consultations import list_consultations
from core.database import Database
from core.directory import MemoryDirectory
from core.errors import ConfigError
from core.passwords import Passwords
from core.sessions import load_revocations
from core.tokens import Revocations, Tokens, load_or_create_keys, write_secret_file
from signaling import consultation_routes, operations, problems, wish
from signaling.accounts import Accounts
from signaling.bodies import BODY_MAX_BYTES
from signaling.context import CONTEXT, Context
from signaling.metrics import Metrics
from signaling.room_service import RoomService
from signaling.room_socket import SOCKETS, OpenSockets, close_sockets, room_socket
from signaling.slow_clients import GUARD, SlowClients, note_request
from signaling.static import StaticFiles, find_web_root
from signaling.wish_sessions import WishSessions
from signaling.worker_pool import PLACE_WAIT_S, WorkerPool

log = structlog.get_logger()

TICK_S: Final = 0.5
RELOAD_S: Final = 5.0
"""How soon a sign-in revoked, or a consultation closed, by another process has its effect here."""


async def create_app(
    settings: Settings,
    database: Database,
    clock: Clock,
    workers: Sequence[str],
    *,
    worker_token: str | None = None,
    passwords: Passwords | None = None,
    place_wait_s: float = PLACE_WAIT_S,
) -> web.Application:
    """The application. `workers`: addresses of the SFU workers' internal APIs.

    Creates the key and secret files that are missing. Raises `ConfigError`.
    """
    revocations = Revocations(await load_revocations(database))
    directory = MemoryDirectory()
    pool = WorkerPool(workers, directory, worker_token, wait_s=place_wait_s)
    context = Context(
        settings=settings,
        database=database,
        clock=clock,
        tokens=Tokens(load_or_create_keys(settings.token_key_file), clock, revocations),
        revocations=revocations,
        passwords=passwords or Passwords(),
        service=RoomService(pool, directory, clock),
        metrics=Metrics(),
        service_secret=load_or_create_secret(settings.service_secret_file),
    )
    app = web.Application(
        middlewares=[note_request, wish.cors, problems.measure, problems.problems],
        client_max_size=BODY_MAX_BYTES,
    )
    app[CONTEXT] = context
    app[SOCKETS] = OpenSockets()
    app[GUARD] = SlowClients()
    app[wish.SESSIONS] = WishSessions(context.service)
    app.on_response_prepare.append(problems.secure_headers)
    app.on_shutdown.append(close_sockets)
    app.cleanup_ctx.append(_background)
    _add_routes(app, StaticFiles(find_web_root(settings)))
    return app


def load_or_create_secret(path: Path) -> str:
    """The secret by which services of this installation sign in; made (mode 0600) when missing."""
    if not path.exists():
        write_secret_file(path, secrets.token_urlsafe(32).encode())
    secret = path.read_text().strip()
    if len(secret) < 16:
        raise ConfigError(f"{path}: service_secret_file: must hold at least 16 characters")
    return secret


def _add_routes(app: web.Application, static: StaticFiles) -> None:
    Accounts().add_routes(app.router)
    consultation_routes.add_routes(app.router)
    operations.add_routes(app.router)
    wish.add_routes(app.router)
    app.router.add_get("/ws", room_socket, allow_head=False)
    app.router.add_get("/{path:(?!api/|whip/|whep/).*}", static.serve)


async def _background(app: web.Application) -> AsyncIterator[None]:
    """The rooms' background work lives as long as the application."""
    context = app[CONTEXT]
    ready = asyncio.Event()
    tasks = [
        asyncio.create_task(context.service.run(ready)),
        asyncio.create_task(_ticking(context)),
        asyncio.create_task(_reloading(context)),
    ]
    await ready.wait()
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _ticking(context: Context) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        try:
            await context.service.tick()
        except Exception:
            log.exception("tick.failed")


async def _reloading(context: Context) -> None:
    """Other processes (the command line) write to the same database."""
    while True:
        await asyncio.sleep(RELOAD_S)
        try:
            await reload(context)
        except Exception:
            log.exception("reload.failed")


async def reload(context: Context) -> None:
    """Apply what the database says about revoked sign-ins and closed consultations."""
    for subject, (before_us, _) in (await load_revocations(context.database)).items():
        context.revocations.add(subject, before_us)
    await context.service.remove_revoked(context.tokens.is_revoked)
    if not context.service.rooms:
        return
    rooms = list(context.service.rooms.values())
    still_open = {found.consultation_id for found in await list_consultations(context.database, state="open")}
    for room in rooms:
        if room.consultation.consultation_id not in still_open:
            context.service.end_room(room)
