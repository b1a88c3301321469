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

from archive.log_keys import ensure_log_key, known_origin, log_verifier, parse_witnesses
from archive.log_records import FOLDER
from core.clock import Clock
from core.config import Settings
from core.consultations import open_among
from core.database import Database
from core.devices import attached_devices
from core.errors import ConfigError
from core.messages import QualityLimits
from core.passwords import Passwords
from core.redis_directory import directory_for
from core.sessions import load_revocations
from core.tokens import Revocations, Tokens, load_or_create_keys, write_secret_file
from signaling import problems, proxies, wish
from signaling.access import device_of
from signaling.annotation_holding import Holding
from signaling.annotation_keeper import DrawingsKeeper
from signaling.api import Operation
from signaling.bodies import BODY_MAX_BYTES
from signaling.context import CONTEXT, Context
from signaling.control_acts import end_lapsed
from signaling.declared import declared_operations
from signaling.draining import DRAIN, Drain, refuse_while_draining
from signaling.file_routes import FILES
from signaling.file_store import FileStore
from signaling.log_keeper import LOG_KEEPER, LogKeeper
from signaling.log_service import ArchiveLog
from signaling.log_timestamps import Timestamps
from signaling.log_writer import LogWriter
from signaling.members import Member
from signaling.metrics import Metrics
from signaling.readiness import DIRECTORY
from signaling.relays import Relays
from signaling.retention_sweep import keep_sweeping as keep_retaining
from signaling.room_service import RoomService
from signaling.room_socket import SOCKETS, OpenSockets, close_sockets
from signaling.rooms import Room
from signaling.routes import add_operations
from signaling.slow_clients import GUARD, SlowClients, note_request
from signaling.static import find_web_root
from signaling.sweeper import keep_sweeping
from signaling.wish_sessions import WishSessions
from signaling.worker_pool import PLACE_WAIT_S, WorkerPool

log = structlog.get_logger()

TICK_S: Final = 0.5
KEEP_WITHIN_S: Final = 3.0
"""At the end, for drawings that are not stored yet."""
RELOAD_S: Final = 1.0
"""How soon a sign-in revoked, or a consultation closed, by another process has its effect here."""


OPERATIONS: Final = web.AppKey("operations", tuple[Operation, ...])


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
    directory = directory_for(settings.redis_url, settings.tls_ca)
    pool = WorkerPool(workers, directory, worker_token, wait_s=place_wait_s)
    service = RoomService(pool, directory, clock, _quality_limits(settings), Relays.of(settings))
    holding: Holding[Member] = Holding(service.tell)
    keeper = DrawingsKeeper(database, service.drawings, holding.stored)
    service.drawings.needed = lambda wanted: (
        service.room_of(wanted) is not None or keeper.has_unstored(wanted)
    )
    context = Context(
        settings=settings,
        database=database,
        clock=clock,
        tokens=Tokens(
            load_or_create_keys(settings.token_key_file),
            clock,
            revocations,
            access_s=settings.access_token_s,
            room_s=settings.room_token_s,
        ),
        revocations=revocations,
        passwords=passwords or Passwords(),
        service=service,
        holding=holding,
        keeper=keeper,
        metrics=Metrics(),
        log=archive_log(settings, clock),
        witnesses=parse_witnesses(settings.witnesses),
        service_secret=load_or_create_secret(settings.service_secret_file),
    )
    app = web.Application(
        middlewares=[
            note_request,
            wish.cors,
            problems.measure,
            problems.problems,
            proxies.middleware(settings),
            refuse_while_draining,
        ],
        client_max_size=BODY_MAX_BYTES,
    )
    app[CONTEXT] = context
    app[DIRECTORY] = directory
    app[DRAIN] = Drain()
    app[SOCKETS] = OpenSockets()
    app[GUARD] = SlowClients()
    app[LOG_KEEPER] = LogKeeper(context)
    app[FILES] = FileStore(settings.files_dir, database)
    app[wish.SESSIONS] = WishSessions(context.service)
    app.on_response_prepare.append(problems.secure_headers)
    app.on_shutdown.append(close_sockets)
    app.cleanup_ctx.append(_background)
    declared = declared_operations(find_web_root(settings))
    app[OPERATIONS] = declared
    add_operations(app.router, declared)
    return app


def archive_log(settings: Settings, clock: Clock) -> ArchiveLog:
    """The log of what is, or is not, archived; its key is made when missing. Raises `ConfigError`."""
    key = ensure_log_key(settings.log_key_file)
    folder = settings.archive_dir / FOLDER
    verifier = log_verifier(settings.log_origin or known_origin(folder), key)
    return ArchiveLog(LogWriter(folder, verifier, key, clock), clock)


def _quality_limits(settings: Settings) -> QualityLimits:
    return QualityLimits(
        good_delay_ms=settings.quality_good_delay_ms,
        fair_delay_ms=settings.quality_fair_delay_ms,
        good_frame_rate=settings.quality_good_frame_rate,
        fair_frame_rate=settings.quality_fair_frame_rate,
    )


def load_or_create_secret(path: Path) -> str:
    """The secret by which services of this installation sign in; made (mode 0600) when missing."""
    if not path.exists():
        write_secret_file(path, secrets.token_urlsafe(32).encode())
    secret = path.read_text().strip()
    if len(secret) < 16:
        raise ConfigError(f"{path}: service_secret_file: must hold at least 16 characters")
    return secret


async def _background(app: web.Application) -> AsyncIterator[None]:
    """The rooms' background work lives as long as the application."""
    context = app[CONTEXT]
    ready = asyncio.Event()
    tasks = [
        asyncio.create_task(context.service.run(ready)),
        asyncio.create_task(_ticking(context)),
        asyncio.create_task(_reloading(context)),
        asyncio.create_task(keep_sweeping(context, app[FILES])),
        asyncio.create_task(keep_retaining(context)),
        asyncio.create_task(app[DIRECTORY].run()),
        asyncio.create_task(app[LOG_KEEPER].run()),
    ]
    writing = asyncio.create_task(context.log.writer.run())
    keeping = asyncio.create_task(context.keeper.run())
    if context.settings.timestamp_url is not None:
        stamping = Timestamps(context.settings.timestamp_url, context.log.writer)
        tasks.append(asyncio.create_task(stamping.run()))
    await ready.wait()
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    context.keeper.finish()
    await asyncio.wait([keeping], timeout=KEEP_WITHIN_S)
    keeping.cancel()
    writing.cancel()  # last: what the others still had to say is written
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    await app[DIRECTORY].close()


async def _ticking(context: Context) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        try:
            await context.service.tick()
            for room in list(context.service.rooms.values()):
                await end_lapsed(context, room)
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
    still_open = await open_among(context.database, [room.consultation.consultation_id for room in rooms])
    for room in rooms:
        if room.consultation.consultation_id not in still_open:
            context.service.end_room(room)
        else:
            await _let_detached_go(context, room)


async def _let_detached_go(context: Context, room: Room) -> None:
    """Boxes that were detached or disabled meanwhile."""
    service, consultation_id = context.service, room.consultation.consultation_id
    present = {member.subject for member in room.members.values()}
    present |= {use.owner for use in service.uses.values() if use.room is room}
    boxes = {subject: device_id for subject in present if (device_id := device_of(subject)) is not None}
    if not boxes:
        return
    attached = await attached_devices(context.database, consultation_id)
    for subject, device_id in boxes.items():
        if device_id not in attached:
            await service.detach_device(consultation_id, subject)
