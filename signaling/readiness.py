"""Is this process ready, and if not, what does it wait for? For load balancers, `/readyz` and the log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from aiohttp import web
from pydantic import Field

from core.directory import Directory
from core.messages import Model
from signaling import archive_copy
from signaling.context import CONTEXT
from signaling.draining import DRAIN
from signaling.starting import database_place
from signaling.tls import WARN_BEFORE, ServerTls

log = structlog.get_logger()

DIRECTORY: Final = web.AppKey("directory", Directory)
TLS: Final = web.AppKey("tls", ServerTls)
DATABASE_WITHIN_S: Final = 2.0
LOOK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 2.0
"""Parts that start together need a moment; until then nothing is said."""
SAY_AGAIN_S: Final = 30.0
NO_RECIPIENTS: Final = (
    "nothing is recorded: no recipients are configured; make two keys with `teleconsult archive keygen` "
    "and name them in the configuration ([[recipients]])"
)


class Readiness(Model):
    """`waiting_for`: why it is not ready, in words. `notes`: what an operator should know all the same."""

    ready: bool
    database: bool
    worker: bool
    directory: bool = True
    draining: bool = False
    waiting_for: list[str] = Field(default=[])
    notes: list[str] = Field(default=[])


async def look(app: web.Application) -> Readiness:
    """Look at every part now."""
    context = app[CONTEXT]
    pool = context.service.pool
    waiting_for: list[str] = []
    database = await _database_answers(app)
    if not database:
        waiting_for.append(database_place(context.settings))
    worker = bool(pool.placeable)
    if not worker:
        places = ", ".join(pool.workers) or "none is configured"
        waiting_for.append(f"a media worker at {places}")
    draining = app[DRAIN].begun
    if draining:
        waiting_for.append("nothing: this process is ending")
    return Readiness(
        ready=database and worker and not draining,
        database=database,
        worker=worker,
        directory=app[DIRECTORY].reachable,
        draining=draining,
        waiting_for=waiting_for,
        notes=_notes(app, datetime.now(UTC)),
    )


async def _database_answers(app: web.Application) -> bool:
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            await app[CONTEXT].database.ping()
    except Exception as error:  # whatever the driver raises: it is not ready
        log.warning("readyz.database", error=type(error).__name__)
        return False
    return True


def _notes(app: web.Application, now: datetime) -> list[str]:
    settings, notes = app[CONTEXT].settings, []
    if not settings.recipients:
        notes.append(NO_RECIPIENTS)
    if (failure := app[CONTEXT].log.failure) is not None:
        notes.append(f"no consultation can be opened: the archive's log cannot be written: {failure}")
    if not app[DIRECTORY].reachable:
        notes.append("redis_url: Redis does not answer; rooms go on in this process only")
    copy = archive_copy.read_status(settings.archive_dir)
    if copy is not None and (said := archive_copy.note(copy, now)) is not None:
        notes.append(said)
    tls = app.get(TLS)
    if tls is not None and tls.facts.not_after - now < WARN_BEFORE:
        notes.append(f"the TLS certificate ends on {tls.facts.not_after:%Y-%m-%d}")
    return notes


async def tell_what_is_missing(app: web.Application) -> None:
    """Until cancelled: say in the log what is waited for, again while it lasts, and when all is there."""
    loop = asyncio.get_running_loop()
    said: list[str] | None = None
    said_s = 0.0
    await asyncio.sleep(PATIENCE_S)
    while True:
        found = await look(app)
        changed = found.waiting_for != said
        if found.waiting_for and (changed or loop.time() - said_s >= SAY_AGAIN_S):
            log.warning("waiting", **{"for": "; ".join(found.waiting_for)})
            said_s = loop.time()
        elif changed and not found.waiting_for:
            log.info("complete", notes=found.notes)
        said = found.waiting_for
        await asyncio.sleep(LOOK_EVERY_S)
